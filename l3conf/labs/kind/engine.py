"""Docker, as far as the lab needs it: the one module that imports ``docker``.

Everything here is one request or few. What docker refuses is ``LabError`` with its words, what only the caller can mend
``MissingPrerequisiteError``; an engine that hangs is given up after ``_API_SECONDS``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import requests

from l3conf.errors import LabError, MissingPrerequisiteError
from l3conf.labs.kind.answers import answered, first_cause
from l3conf.labs.kind.endpoints import by_family, copy_of, endpoint
from l3conf.labs.kind.exec_streams import ExecStream
from l3conf.labs.kind.leftovers import Present
from l3conf.labs.kind.networks import MASQUERADE_OPTION, MTU_OPTION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.labs.kind.containers import ContainerPlan
    from l3conf.labs.kind.networks import NetworkPlan
    from l3conf.model.topology import IPAddress

_API_SECONDS = 60.0
"""For one answer: the removal of a busy node takes longest."""
_EXEC_MARGIN = 5.0
_TIMED_OUT = 124
"""What ``timeout`` of coreutils ends with, and the suite's own convention."""
_CONFLICT = 409
_START = "docker info must work for this user: install docker, start it, and join the group docker or be root"


class Engine:
    """One docker engine. Requests may be made from any thread."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - docker.APIClient, which has no types
        self._client = client

    @classmethod
    def connect(cls) -> Engine:
        """Reach the engine that ``DOCKER_HOST`` names, or this machine's.

        ``MissingPrerequisiteError`` if none answers.
        """
        try:
            client = docker.from_env(timeout=int(_API_SECONDS)).api
            client.ping()
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            where = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
            what = f"docker does not answer: {first_cause(error)}"
            raise MissingPrerequisiteError(what, where=where, remedy=_START) from error
        return cls(client)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def info(self) -> dict[str, Any]:
        """Return what the engine says of itself and its machine."""
        with answered("info"):
            found: dict[str, Any] = {**self._client.version(), **self._client.info()}
        return found

    def containers(self, label: str) -> list[Present]:
        """Return containers with a label (``name`` or ``name=value``), stopped ones included."""
        with answered("containers"):
            listed = self._client.containers(all=True, filters={"label": label})
        return [
            Present(
                id=one["Id"],
                name=one["Names"][0].removeprefix("/"),
                labels=one.get("Labels") or {},
                on=tuple((one.get("NetworkSettings") or {}).get("Networks") or ()),
            )
            for one in listed
        ]

    def networks(self, label: str) -> list[Present]:
        """Return networks with a label."""
        with answered("networks"):
            listed = self._client.networks(filters={"label": label})
        return [Present(id=one["Id"], name=one["Name"], labels=one.get("Labels") or {}) for one in listed]

    def has_image(self, name: str) -> bool:
        """Say whether an image is there."""
        try:
            with answered(name):
                self._client.inspect_image(name)
        except LookupError:
            return False
        return True

    def inspect(self, container: str) -> dict[str, Any]:
        """Return a container as docker has it. ``LookupError`` if there is none."""
        with answered(container):
            found: dict[str, Any] = self._client.inspect_container(container)
        return found

    def make_network(self, plan: NetworkPlan) -> None:
        """Make a network. ``MissingPrerequisiteError`` if its range is taken on this machine."""
        pools = [
            docker.types.IPAMPool(subnet=str(each.cidr), iprange=str(each.handed_out), gateway=str(each.gateway))
            for each in plan.subnets
        ]
        try:
            with answered(plan.name):
                self._client.create_network(
                    plan.name,
                    driver="bridge",
                    options={MTU_OPTION: str(plan.mtu), MASQUERADE_OPTION: "false"},
                    ipam=docker.types.IPAMConfig(pool_configs=pools),
                    labels=dict(plan.labels),
                    enable_ipv6=plan.has_ipv6,
                )
        except LabError as error:
            if "overlap" not in error.what:
                raise
            ranges = ", ".join(str(each.cidr) for each in plan.subnets)
            raise MissingPrerequisiteError(
                f"{ranges} is taken: {error.what}",
                where=plan.name,
                remedy="docker network ls; remove the network that has it, or take another engine",
            ) from error

    def run(self, plan: ContainerPlan) -> None:
        """Make a container, put it on its networks and start it."""
        shared = (
            f"container:{plan.shares_network_of}"
            if plan.shares_network_of not in {"", "host"}
            else plan.shares_network_of
        )
        config = self._client.create_host_config(
            network_mode=shared or plan.networks[0][0],
            cap_drop=["ALL"],
            cap_add=list(plan.capabilities),
            sysctls=dict(plan.sysctls),
            init=False,
        )
        first = dict([endpoint(*plan.networks[0])]) if plan.networks else None
        with answered(plan.name):
            self._client.create_container(
                plan.image,
                command=list(plan.argv[1:]) or None,
                entrypoint=list(plan.argv[:1]) or None,
                name=plan.name,
                hostname=None if shared else plan.name[:63],
                labels=dict(plan.labels),
                environment=dict(plan.env),
                user=plan.user or None,
                host_config=config,
                networking_config=self._client.create_networking_config(first) if first else None,
            )
            for network, addresses in plan.networks[1:]:
                self.connect_to(plan.name, network, addresses)
            self._client.start(plan.name)

    def clone(self, of: Mapping[str, Any], name: str, network: str, addresses: Sequence[IPAddress]) -> None:
        """Start a container like one that was inspected, under another name and with other addresses."""
        body = copy_of(of, name, endpoint(network, addresses))
        with answered(name):
            self._client.create_container_from_config(body, name)
            self._client.start(name)

    def connect_to(self, container: str, network: str, addresses: Sequence[IPAddress]) -> None:
        """Put a container on a network."""
        with answered(f"{container} on {network}"):
            self._client.connect_container_to_network(container, network, **by_family(addresses))

    def disconnect(self, container: str, network: str) -> None:
        """Take a container from a network."""
        with answered(f"{container} on {network}"):
            self._client.disconnect_container_from_network(container, network, force=True)

    def kill(self, container: str, *, signal: str = "SIGKILL") -> None:
        """End everything in a container at once; no error if it has ended."""
        with answered(container):
            try:
                self._client.kill(container, signal)
            except docker.errors.APIError as error:
                if error.status_code != _CONFLICT:
                    raise

    def start(self, container: str) -> None:
        """Start a container again."""
        with answered(container):
            self._client.start(container)

    def remove(self, container: str) -> None:
        """Remove a container and its volumes, running or not; no error if there is none."""
        try:
            with answered(container):
                self._client.remove_container(container, v=True, force=True)
        except LookupError:
            return

    def remove_network(self, network: str) -> None:
        """Remove a network; no error if there is none."""
        try:
            with answered(network):
                self._client.remove_network(network)
        except LookupError:
            return

    def bridge_of(self, network: str) -> str:
        """Return the name of a network's bridge on the engine's host: docker's own choice, after its id."""
        with answered(network):
            return f"br-{self._client.inspect_network(network)['Id'][:12]}"

    def terminate(self, container: str) -> None:
        """Send SIGTERM to a container; no error if it has ended."""
        self.kill(container, signal="SIGTERM")

    def follow(self, container: str) -> ExecStream:
        """Return what a container prints, from its start on."""
        with answered(container):
            params = {"stdout": 1, "stderr": 1, "stream": 1, "logs": 1}
            sock = self._client.attach_socket(container, params=params)
        return ExecStream(sock, container)

    def open(self, container: str, argv: Sequence[str]) -> tuple[ExecStream, str]:
        """Start a command in a container with stdin open; return its stream, and docker's id of it."""
        with answered(container):
            made = self._client.exec_create(container, list(argv), stdin=True, stdout=True, stderr=True, tty=False)
            sock = self._client.exec_start(made["Id"], socket=True, tty=False)
        return ExecStream(sock, container), str(made["Id"])

    def exec(self, container: str, argv: Sequence[str], *, seconds: float) -> tuple[int, str, str]:
        """Run a command in a container; return exit code, stdout, stderr. It is ended after ``seconds``, with 124."""
        # Docker has no way to end what it runs: coreutils' timeout does it inside, and hangs of the engine are ours
        # to see.
        stream, number = self.open(container, ["timeout", "-k", "1", f"{seconds:g}", *argv])
        out, err = stream.read_all(seconds + _EXEC_MARGIN)
        with answered(container):
            code = self._client.exec_inspect(number).get("ExitCode")
        return _TIMED_OUT if code is None else int(code), out.decode(errors="replace"), err.decode(errors="replace")

    def sh(self, container: str, script: str, *, seconds: float = 20.0) -> str:
        """Run a script in a container and return what it printed. ``LabError`` with its last words if it fails."""
        code, out, err = self.exec(container, ["sh", "-c", script], seconds=seconds)
        if code:
            raise LabError(f"a script ended with {code}: {err.strip()[-500:] or out.strip()[-500:]}", where=container)
        return out
