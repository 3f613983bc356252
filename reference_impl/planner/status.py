"""What agents report, from what they know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.planner.conditions import AUTHENTICATION_FAILED, gateway_conditions
from reference_impl.planner.skew import VERSION_SKEW_UNSUPPORTED, unsupported
from reference_impl.protocols.durations import go_duration
from reference_impl.protocols.health import Health
from reference_impl.protocols.object_codec import endpoint_spec
from reference_impl.protocols.policy import ISOLATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.planner.membership import Refusal
    from reference_impl.planner.obstacles import Obstacle
    from reference_impl.protocols.health import RoundTrips
    from reference_impl.protocols.objects import Endpoint

Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerReport:
    """What is known about the way to one peer for packets of one IP version."""

    endpoint: Endpoint
    """The part of it that is about this version."""
    health: Health
    silent_for: float
    """Seconds since the last confirmed round trip, or since watching began."""
    round_trips: RoundTrips
    version: int = 4
    lacking: str = ""
    """What part of the cable is down although round trips are confirmed; "" if none is."""
    mtu: int = 0
    """Largest packet in bytes that the cable carries in one piece; 0 while the kernel has no such device."""
    obstacle: Obstacle | None = None
    """Why it will not answer by itself, where that is known."""
    arriving: bool | None = None
    """Whether packets of the peer arrive though it does not answer; None if that is not known."""
    impostor: str = ""
    """How it is known that whoever is at the peer's address does not have its key; "" if it is not."""

    @property
    def state(self) -> Health:
        """Return what may be said of the whole cable: the worst of its parts counts."""
        if self.unauthenticated or self.obstacle is not None:
            return Health.LOST
        return Health.CONNECTING if self.lacking and self.health is Health.CONNECTED else self.health

    @property
    def is_whole_again_soon(self) -> bool:
        """Say whether it works in part: its other parts are being called for."""
        return bool(self.lacking) and self.health is Health.CONNECTED

    @property
    def unauthenticated(self) -> bool:
        """Say whether the cable is down for the other end's secret: a round trip through it is the better proof."""
        return bool(self.impostor) and self.health is not Health.CONNECTED


def gateway_status(
    *,
    version: str,
    active: bool,
    local: Endpoint,
    peers: Sequence[PeerReport],
    refusals: Sequence[Refusal],
    failure: str,
    notices: Iterable[str] = (),
    forgeries: Sequence[Refusal] = (),
) -> Object:
    """Return ``Gateway.status``; a passive gateway has no connections. Its conditions have no times yet.

    ``failure`` says what of the plan could not be done, ``notices`` what an operator should know besides, ``forgeries``
    which members wrote in the name of others. Who is isolated on purpose is no news of a gateway: its Cluster says so.
    """
    refusals = [refusal for refusal in refusals if refusal.reason != ISOLATED]
    connections = [_connection(peer, failure) for peer in peers] + [_refused(refusal) for refusal in refusals]
    return {
        "version": version,
        "haStatus": "active" if active else "passive",
        "localEndpoint": endpoint_spec(local),
        "statusFailure": "; ".join(filter(None, (failure, *notices))),
        "conditions": gateway_conditions(
            active=active, peers=peers, refusals=refusals, failure=failure, forgeries=forgeries
        ),
        "connections": connections if active else [],
    }


def route_agent_status(*, version: str, peers: Iterable[PeerReport], failure: str) -> Object:
    """Return ``RouteAgent.status``."""
    return {
        "version": version,
        "statusFailure": failure,
        "remoteEndpoints": [_remote_endpoint(peer) for peer in peers],
    }


def signature(status: Mapping[str, Any]) -> object:
    """Return the part of a status whose change is worth a report at once: not times, not wording."""
    entries = status.get("connections") or status.get("remoteEndpoints") or []
    return (
        status.get("haStatus"),
        status.get("statusFailure"),
        status.get("localEndpoint"),
        [(condition.type, condition.status, condition.reason) for condition in status.get("conditions") or []],
        [
            (entry["status"], entry.get("usingIP"), entry.get("mtu"), entry.get("endpoint") or entry.get("spec"))
            for entry in entries
        ],
    )


def _connection(peer: PeerReport, failure: str) -> Object:
    """Describe a connection. One that nothing confirms while the kernel refuses our plan is no mere "connecting"."""
    broken = bool(failure) and peer.state is not Health.CONNECTED
    return {
        "status": Health.LOST.value if broken else peer.state.value,
        "statusMessage": f"NotProgrammed: {failure}" if broken else f"{_skew(peer)}{_message(peer)}{_by(peer)}",
        "endpoint": endpoint_spec(peer.endpoint),
        "usingIP": str(peer.endpoint.tunnel_address),
        "usingNAT": peer.endpoint.tunnel_address != peer.endpoint.private_ip,
        **({"mtu": peer.mtu} if peer.mtu else {}),
        **_latency(peer.round_trips),
    }


def _skew(peer: PeerReport) -> str:
    text = unsupported(peer.endpoint)
    return f"{VERSION_SKEW_UNSUPPORTED} ({text}); " if text else ""


def _remote_endpoint(peer: PeerReport) -> Object:
    watched = peer.endpoint.health_check_ip is not None
    return {
        "status": peer.health.value if watched else "none",
        "statusMessage": _message(peer),
        "spec": endpoint_spec(peer.endpoint),
        **_latency(peer.round_trips),
    }


def _refused(refusal: Refusal) -> Object:
    """Show a member that is not connected with the reason, as far as it said who it is."""
    endpoint = endpoint_spec(refusal.endpoint) if refusal.endpoint else {"cluster_id": refusal.cluster_id}
    return {"status": "error", "statusMessage": f"{refusal.reason}: {refusal.message}", "endpoint": endpoint}


def _message(peer: PeerReport) -> str:  # noqa: PLR0911 - one for each answer
    address = peer.endpoint.health_check_ip
    if address is None:
        return "the peer offers no healthCheckIP: nothing can be confirmed"
    if peer.unauthenticated:
        return f"{AUTHENTICATION_FAILED}: {peer.impostor}"
    if peer.obstacle is not None:
        return f"{peer.obstacle.reason}: no answer from {address} yet; {peer.obstacle.message}"
    if peer.health is Health.CONNECTED and peer.lacking:
        return f"SubTunnelDown: {peer.lacking}"
    if peer.health is Health.CONNECTED:
        return f"round trip to {address} confirmed"
    if peer.health is Health.CONNECTING:
        return f"no answer from {address} yet{_direction(peer)}"
    return f"no answer from {address} for {peer.silent_for:.0f} s{_direction(peer)}"


def _direction(peer: PeerReport) -> str:
    """Say which direction is lost, as far as what arrives tells."""
    if peer.arriving is None:
        return ""
    return ", though its packets arrive: ours are lost" if peer.arriving else ", and nothing arrives from it"


def _by(peer: PeerReport) -> str:
    """Say which address is used and why."""
    way = peer.endpoint.way
    return f"; {way.reason}: by {way.address} port {way.port}, {way.message}" if way is not None else ""


def _latency(trips: RoundTrips) -> Object:
    if not trips.count:
        return {}
    times = {
        "last": trips.last,
        "min": trips.minimum,
        "average": trips.average,
        "max": trips.maximum,
        "stdDev": trips.deviation,
    }
    return {"latencyRTT": {key: go_duration(seconds) for key, seconds in times.items()}}
