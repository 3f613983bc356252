"""Which programs a hook runs, as pure functions of its request and its settings.

Written against subctl 0.18.1 (``subctl.yaml``).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Request = Mapping[str, Any]

BROKER_INFO = "broker-info.subm"
"""Written by deploy-broker into its working directory: the broker's address, a credential, and all members' key."""
KEPT = "keeping the broker components"
"""What uninstall warns of, ending with 0, where it does not remove a broker."""


class HookError(Exception):
    """The hook cannot do its work; the text says what is wrong and what to do. Exit code 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What ``spec.hooks.env`` of the implementation file says."""

    version: str
    subctl: str
    kubectl: str
    seconds: float
    deploy_arguments: tuple[str, ...]
    join_arguments: tuple[str, ...]

    def program(self, version: str) -> str:
        """Return the subctl of a version."""
        return self.subctl.replace("{version}", version)


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run, and what a failure of it means."""

    argv: tuple[str, ...]
    refused_if: str = ""
    """Words in its output that make it a failure although it ends with 0."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the variables of the implementation file. ``HookError`` if one is missing or makes no sense."""
    try:
        return Settings(
            version=environment["SUBMARINER_VERSION"],
            subctl=environment["SUBMARINER_SUBCTL"],
            kubectl=environment["SUBMARINER_KUBECTL"],
            seconds=float(environment["SUBMARINER_SECONDS"]),
            deploy_arguments=tuple(shlex.split(environment.get("SUBMARINER_DEPLOY_ARGUMENTS", ""))),
            join_arguments=tuple(shlex.split(environment.get("SUBMARINER_JOIN_ARGUMENTS", ""))),
        )
    except KeyError as error:
        raise HookError(f"{error.args[0]} is not set: see spec.hooks.env of impl.yaml") from None
    except ValueError as error:
        raise HookError(f"spec.hooks.env of impl.yaml: {error}") from None


def deploy(request: Request, settings: Settings, *, redeployed: bool) -> Iterator[Command]:
    """Make the broker. A second time it keeps the key that members already have."""
    subctl = settings.program(wanted_version(request, settings))
    argv = [subctl, "deploy-broker", *kubeconfig(request["broker"]), "--broker-url", request["broker"]["server"]]
    if any("globalCIDRs" in cluster for cluster in request["clusters"]):
        argv.append("--globalnet")
    if redeployed:
        argv += ["--ipsec-psk-from", BROKER_INFO]
    yield Command((*argv, *settings.deploy_arguments))


def join(request: Request, settings: Settings) -> Iterator[Command]:
    """Label the gateway nodes, and join. Without the labels subctl would ask which node to take."""
    member = member_of(request)
    for node in member["gatewayNodes"]:
        label = ("label", "node", node, "submariner.io/gateway=true", "--overwrite")
        yield Command((settings.kubectl, *kubeconfig(member), *label))
    argv = [settings.program(wanted_version(request, settings)), "join", BROKER_INFO, *kubeconfig(member)]
    argv += ["--clusterid", member["name"], "--label-gateway=false"]
    argv += ["--clustercidr", ipv4(member, "podCIDRs"), "--servicecidr", ipv4(member, "serviceCIDRs")]
    if member.get("cableDrivers"):
        argv += ["--cable-driver", member["cableDrivers"][0]]
    if "globalCIDRs" not in member:
        argv.append("--globalnet=false")
    elif member["globalCIDRs"]:
        argv += ["--globalnet-cidr", ipv4(member, "globalCIDRs")]
    yield Command((*argv, *settings.join_arguments))


def leave(request: Request, settings: Settings) -> Iterator[Command]:
    """Uninstall from the member; its gateway takes its objects from the broker."""
    yield uninstall(settings, member_of(request))


def remove_members(request: Request, settings: Settings) -> Iterator[Command]:
    """Uninstall from every cluster."""
    for member in request["clusters"]:
        yield uninstall(settings, member)


def remove_broker(request: Request, settings: Settings) -> Iterator[Command]:
    """Uninstall the broker, after all members: it stays for as long as it knows Endpoints."""
    yield uninstall(settings, request["broker"], refused_if=KEPT)


def upgrade(request: Request, settings: Settings, contexts: Mapping[str, str]) -> Iterator[Command]:
    """Upgrade one member or the broker, by the subctl of that version: another one would fetch and replace itself."""
    version = wanted_version(request, settings)
    place = member_of(request) if request.get("cluster") else request["broker"]
    # Without the v of the tag: subctl hands the word on as the tag of the operator's image, which has none.
    words = ("--context", contexts[place["name"]], "--to-version", version)
    yield Command((settings.program(version), "upgrade", *kubeconfig(place), *words))


def gather(request: Request, settings: Settings, contexts: Mapping[str, str]) -> Iterator[Command]:
    """Collect what subctl collects for people, a folder a cluster; it takes credentials out by itself."""
    for place in (*request["clusters"], request["broker"]):
        words = ("--context", contexts[place["name"]], "--dir", f"gather/{place['name']}")
        yield Command((settings.program(settings.version), "gather", *kubeconfig(place), *words))


def uninstall(settings: Settings, place: Mapping[str, Any], *, refused_if: str = "") -> Command:
    """Return how Submariner is taken out of a cluster; it succeeds where there is none."""
    return Command((settings.program(settings.version), "uninstall", *kubeconfig(place), "--yes"), refused_if)


def kubeconfig(place: Mapping[str, Any]) -> tuple[str, str]:
    """Return how a cluster is named to subctl and kubectl."""
    return "--kubeconfig", place["kubeconfig"]


def member_of(request: Request) -> Mapping[str, Any]:
    """Return the cluster that a request is about."""
    for cluster in request["clusters"]:
        if cluster["name"] == request["cluster"]:
            found: Mapping[str, Any] = cluster
            return found
    raise HookError(f"cluster {request['cluster']!r} is not among the clusters of the request")


def ipv4(member: Mapping[str, Any], ranges: str) -> str:
    """Return the IPv4 range of a list. Submariner 0.18 knows no other family."""
    found = [text for text in member[ranges] if ip_network(text).version == 4]  # noqa: PLR2004 - the IP version number
    if not found:
        raise HookError(f"{ranges} of {member['name']} holds no IPv4 range, and Submariner 0.18 supports nothing else")
    text: str = found[0]
    return text


def wanted_version(request: Request, settings: Settings) -> str:
    """Return the version that a request asks for, without the v of its tag."""
    return str(request.get("version") or settings.version).removeprefix("v")


def reported_version(output: str) -> str:
    """Return what ``subctl version`` printed, without the v of its tag; ``HookError`` if that is something else."""
    for line in output.splitlines():
        name, _, version = line.partition(":")
        if name == "subctl version":
            return version.strip().removeprefix("v")
    raise HookError(f"`subctl version` printed {output[:80]!r} instead of a version")


def last_words(lines: list[str]) -> str:
    """Return the line that says why subctl failed: the last cross, else the last that is not its version."""
    said = [line.strip() for line in lines if line.strip() and not line.startswith("subctl version:")]
    crosses = [line.removeprefix("✗").strip() for line in said if line.startswith("✗")]
    return (crosses or said or ["it printed nothing"])[-1]
