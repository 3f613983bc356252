"""``l3conf lab fault api``: have a cluster's API server misbehave towards some clients."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from l3conf.cli.holding import lasting

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.model.faults import Fault


@click.group()
def api() -> None:
    """Disturb requests and watches at an API server.

    CLUSTER is a cluster's name or broker. Patterns are those of the shell; without any, all clients and all
    requests are met, but for the emulator's own components.
    """


def _for_clients(command: Callable[..., Callable[..., Fault]]) -> Callable[..., None]:
    """Turn a function that names a fault into a command that holds it for the clients that options choose."""

    @click.argument("cluster")
    @click.option("--user", default="*", help="Pattern: system:serviceaccount:NAMESPACE:NAME, kubernetes-admin.")
    @click.option("--agent", default="*", help="Pattern of the User-Agent.")
    @click.option("--verb", "verbs", multiple=True, help="get, list, watch, create, update, patch, delete; repeatable.")
    @click.option("--resource", default="*", help="Pattern: pods, endpoints.submariner.io.")
    @lasting
    @functools.wraps(command)
    def run(cluster: str, user: str, agent: str, verbs: tuple[str, ...], resource: str, **rest: Any) -> list[Fault]:  # noqa: ANN401 - click's own
        make = command(**rest)
        try:
            return [make(cluster=cluster, user=user, agent=agent, verbs=verbs, resource=resource)]
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    return run


_share = click.option(
    "--share", type=click.FloatRange(min=0, min_open=True, max=1), default=1.0, help="Part of them that is met."
)


@api.command("refuse")
@click.argument("code", type=click.IntRange(400, 599))
@click.option("--retry-after", type=click.IntRange(min=0), help="Seconds, as the header Retry-After.")
@_share
@_for_clients
def refuse(code: int, retry_after: int | None, share: float) -> Callable[..., Fault]:
    """Refuse requests with an HTTP status: 409 (writes only), 410, 429, 5xx."""
    from l3conf.model.api_faults import APIRefused  # noqa: PLC0415 - `l3conf --help` needs none of this

    return functools.partial(APIRefused, code=code, retry_after=retry_after, share=share)


@api.command("slow")
@click.argument("seconds", type=click.FloatRange(min=0))
@_for_clients
def slow(seconds: float) -> Callable[..., Fault]:
    """Answer later."""
    from l3conf.model.api_faults import APISlow  # noqa: PLC0415

    return functools.partial(APISlow, seconds=seconds)


@api.command("drop")
@click.option("--carried-out", is_flag=True, help="Only the answer is lost: the request was carried out.")
@_share
@_for_clients
def drop(*, carried_out: bool, share: float) -> Callable[..., Fault]:
    """Break connections in place of answers, and under open watches."""
    from l3conf.model.api_faults import APIDropped  # noqa: PLC0415

    return functools.partial(APIDropped, carried_out=carried_out, share=share)


@api.command("expire")
@_for_clients
def expire() -> Callable[..., Fault]:
    """End watches, and lists that go on with a continue token, with 410."""
    from l3conf.model.api_faults import APIExpired  # noqa: PLC0415

    return APIExpired


@api.command("duplicate")
@_share
@_for_clients
def duplicate(share: float) -> Callable[..., Fault]:
    """Send events of watches twice."""
    from l3conf.model.api_faults import EventsDuplicated  # noqa: PLC0415

    return functools.partial(EventsDuplicated, share=share)


@api.command("late")
@click.argument("seconds", type=click.FloatRange(min=0))
@_for_clients
def late(seconds: float) -> Callable[..., Fault]:
    """Send events of watches later, in order."""
    from l3conf.model.api_faults import EventsLate  # noqa: PLC0415

    return functools.partial(EventsLate, seconds=seconds)


@api.command("reorder")
@click.argument("seconds", type=click.FloatRange(min=0))
@_for_clients
def reorder(seconds: float) -> Callable[..., Fault]:
    """Collect events of watches for a while and send the newest first."""
    from l3conf.model.api_faults import EventsReordered  # noqa: PLC0415

    return functools.partial(EventsReordered, seconds=seconds)


@api.command("silence")
@_for_clients
def silence() -> Callable[..., Fault]:
    """Keep watches open and say nothing in them any more."""
    from l3conf.model.api_faults import WatchesSilent  # noqa: PLC0415

    return WatchesSilent
