"""``python -m reference_impl diagnose``: what is wrong with a member, where, and what mends it.

Here facts are fetched and findings are shown; what is concluded is ``reference_impl.planner.diagnosis``.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any

from reference_impl.agents.show import add_cluster_options
from reference_impl.drivers.api import APIError, NotFoundError, Resource
from reference_impl.names import BROKER_SECRET, MEMBER_NAMESPACE, NODES_ROLE
from reference_impl.planner.diagnosis import diagnose
from reference_impl.planner.finding import Weight
from reference_impl.planner.member_facts import Facts, Part

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from reference_impl.drivers.api import API, Object
    from reference_impl.planner.finding import Finding

PATIENCE = 20.0
"""Seconds until a cluster that says nothing is taken for one that is not there."""
NOBODY_THERE = "remedy: check --kubeconfig and --context, and that the cluster's API server can be reached from here"
SETTINGS = "submariner-settings"
_FORBIDDEN = 403
_OBJECTS = (Resource.CLUSTER, Resource.ENDPOINT, Resource.GATEWAY, Resource.ROUTE_AGENT)
_RIGHTS = (Resource.SERVICE_ACCOUNT, Resource.ROLE, Resource.ROLE_BINDING)
_WIDE_RIGHTS = (Resource.CLUSTER_ROLE, Resource.CLUSTER_ROLE_BINDING)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl diagnose",
        description="Say what is wrong with a member, where, and what mends it.",
        epilog="Exit codes: 0 nothing found, 1 findings, 2 there is nothing to look at (kubeconfig, cluster, rights).",
    )
    add_cluster_options(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


async def look(api: API) -> tuple[Finding, ...]:
    """Return the findings on one member. ``APIError`` if its API does not answer, or does not know who asks."""
    try:
        async with asyncio.timeout(PATIENCE):
            return diagnose(await gather(api))
    except TimeoutError:
        raise APIError(f"the API does not answer within {PATIENCE:g} s") from None


async def gather(api: API) -> Facts:
    """Read all that a diagnosis rests on; what may not be read is noted. ``APIError`` as above."""
    unread: dict[Part, str] = {}

    async def read(part: Part, asked: Awaitable[Any], otherwise: Any) -> Any:  # noqa: ANN401 - whatever is asked for
        try:
            return await asked
        except NotFoundError:
            return otherwise
        except APIError as error:
            if error.code != _FORBIDDEN:
                raise
            unread[part] = str(error)
            return otherwise

    async def listed(part: Part, resource: Resource) -> list[Object] | None:
        """Return objects; None where the kind is not served."""
        found = await read(part, api.list(resource, MEMBER_NAMESPACE if resource.namespaced else ""), None)
        return found[0] if found else [] if part in unread else None

    namespace = await read(Part.NAMESPACE, api.get(Resource.NAMESPACE, MEMBER_NAMESPACE), None)
    objects = {resource: await listed(Part.OBJECTS, resource) for resource in _OBJECTS}
    settings = await read(Part.SETTINGS, api.get(Resource.CONFIG_MAP, SETTINGS, MEMBER_NAMESPACE), None)
    secret = await read(Part.CREDENTIAL, api.get(Resource.SECRET, BROKER_SECRET, MEMBER_NAMESPACE), None)
    rights = {f"{kind.kind}/{_name(obj)}" for kind in _RIGHTS for obj in await listed(Part.RIGHTS, kind) or []}
    for kind in _WIDE_RIGHTS:
        if await read(Part.RIGHTS, api.get(kind, NODES_ROLE), None):
            rights.add(f"{kind.kind}/{NODES_ROLE}")
    return Facts(
        now=time.time(),
        kinds=frozenset(resource.value[3] for resource, found in objects.items() if found is not None),
        has_namespace=namespace is not None,
        nodes=tuple(await listed(Part.NODES, Resource.NODE) or ()),
        pods=tuple(await listed(Part.PODS, Resource.POD) or ()),
        daemon_sets=tuple(await listed(Part.DAEMON_SETS, Resource.DAEMON_SET) or ()),
        rights=frozenset(rights),
        settings=dict(settings.get("data") or {}) if settings else None,
        has_credential=secret is not None,
        credential_expires=expiry(str(((secret or {}).get("data") or {}).get("token") or "")),
        clusters=tuple(objects[Resource.CLUSTER] or ()),
        endpoints=tuple(objects[Resource.ENDPOINT] or ()),
        gateways=tuple(objects[Resource.GATEWAY] or ()),
        route_agents=tuple(objects[Resource.ROUTE_AGENT] or ()),
        unread=unread,
    )


def expiry(token: str) -> float | None:
    """Return when a ServiceAccount's token ends, in Unix seconds; None where it does not tell.

    ``token`` is a Secret's entry: base64 of a JWT (RFC 7519). Nothing but the claim ``exp`` is taken from it.
    """
    try:
        claims = base64.b64decode(token, validate=True).split(b".")[1]
        ends = json.loads(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)))["exp"]
    except (binascii.Error, IndexError, KeyError, TypeError, ValueError):
        return None
    return float(ends) if isinstance(ends, int | float) else None


def as_json(findings: Iterable[Finding]) -> str:
    """Return findings for programs."""
    listed = [{**dataclasses.asdict(finding), "weight": finding.weight.value} for finding in findings]
    return json.dumps({"findings": listed}, indent=2) + "\n"


def as_text(findings: Sequence[Finding]) -> str:
    """Return findings for pipes and logs: three lines each."""
    lines = [
        f"{finding.weight.value}: {finding.where}: {finding.code}\n  {finding.what}\n  remedy: {finding.remedy}\n"
        for finding in findings
    ]
    return "".join([*lines, f"{summary(findings)}\n"])


def summary(findings: Sequence[Finding]) -> str:
    """Return how many there are, in words."""
    errors = sum(finding.weight is Weight.ERROR for finding in findings)
    warnings = len(findings) - errors
    if not findings:
        return "nothing is wrong with this member"
    return f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"


def print_pretty(findings: Sequence[Finding]) -> None:
    """Print findings on a terminal, with colours where it has them."""
    from rich.console import Console  # noqa: PLC0415 - for people only
    from rich.markup import escape  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415

    console = Console(highlight=False)
    for finding in findings:
        colour = "red" if finding.weight is Weight.ERROR else "yellow"
        console.print(f"[bold {colour}]{finding.code}[/]  [bold]{escape(finding.where)}[/]")
        console.print(Padding(escape(finding.what), (0, 0, 0, 2)))
        console.print(Padding(f"[green]→[/] {escape(finding.remedy)}", (0, 0, 1, 2)))
    console.print(f"[{'bold' if findings else 'bold green'}]{summary(findings)}[/]")


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])
