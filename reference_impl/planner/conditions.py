"""Conditions with reasons, in the form of ``metav1.Condition`` (Kubernetes API conventions). Pure.

Three questions are kept apart, because they are mended by different people: ``Accepted`` (is what a member says of
itself usable here), ``Programmed`` (does this gateway's kernel hold the plan), ``Connected`` (was a round trip
confirmed a moment ago). Messages hold nothing that changes by itself: a quiet connection causes no writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.planner.skew import VERSION_SKEW_UNSUPPORTED, unsupported
from reference_impl.protocols.health import Health
from reference_impl.protocols.heartbeat import Life

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.planner.membership import Refusal
    from reference_impl.planner.status import PeerReport

Object: TypeAlias = dict[str, Any]
TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
ACCEPTED, PROGRAMMED, CONNECTED = "Accepted", "Programmed", "Connected"
ALIVE = "Alive"
AUTHENTICATION_FAILED = "AuthenticationFailed"
IDENTITY_CONFLICT = "IdentityConflict"
LONGEST_MESSAGE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One answer. When it last changed is added where it is written."""

    type: str
    status: str
    """``True``, ``False`` or ``Unknown``."""
    reason: str
    """CamelCase."""
    message: str = ""


def peer_conditions(peer: PeerReport, failure: str) -> tuple[Condition, ...]:
    """Return the conditions of a member that has a cable. ``failure``: what the kernel refused, "" if nothing."""
    return (
        _accepted(peer),
        _programmed(failure),
        _connected(peer),
    )


def refused_conditions(refusal: Refusal) -> tuple[Condition, ...]:
    """Return the conditions of a member that is not connected for a reason of its own."""
    return (
        Condition(type=ACCEPTED, status=FALSE, reason=refusal.reason, message=refusal.message),
        Condition(type=PROGRAMMED, status=FALSE, reason=refusal.reason, message="nothing is programmed for it"),
        Condition(type=CONNECTED, status=FALSE, reason=refusal.reason, message="no cable is laid to it"),
    )


def life_condition(life: Life | None) -> Condition:
    """Return what a member's heartbeat at the broker says. Nothing follows from it for packets."""
    match life:
        case Life.ALIVE:
            return Condition(type=ALIVE, status=TRUE, reason="HeartbeatRenewed", message="it renews its Lease")
        case Life.STALE | Life.SILENT:
            message = "it has not renewed its Lease at the broker; what it published may be out of date"
            return Condition(type=ALIVE, status=UNKNOWN, reason="HeartbeatStale", message=message)
        case None:
            return Condition(
                type=ALIVE,
                status=UNKNOWN,
                reason="NoHeartbeat",
                message="it has no Lease at the broker, or none was seen",
            )


def with_forgery(conditions: Iterable[Condition], forgery: Refusal) -> tuple[Condition, ...]:
    """Return the conditions of a member that also wrote in another one's name: what is its own counts on."""
    accepted = Condition(type=ACCEPTED, status=FALSE, reason=forgery.reason, message=forgery.message)
    return (accepted, *(one for one in conditions if one.type != ACCEPTED))


def waiting_conditions() -> tuple[Condition, ...]:
    """Return the conditions of a member that has no Endpoint."""
    message = "its gateway has published no Endpoint"
    return (
        Condition(type=ACCEPTED, status=TRUE, reason="Accepted", message="its prefixes fit"),
        Condition(type=PROGRAMMED, status=FALSE, reason="NoEndpoint", message=message),
        Condition(type=CONNECTED, status=FALSE, reason="NoEndpoint", message=message),
    )


def gateway_conditions(
    *,
    active: bool,
    peers: Sequence[PeerReport],
    refusals: Sequence[Refusal],
    failure: str,
    forgeries: Sequence[Refusal] = (),
) -> tuple[Condition, ...]:
    """Return the conditions of a Gateway: of all its connections together, the worst counts."""
    if not active:
        standby = "another gateway of this cluster is active"
        return tuple(
            Condition(type=kind, status=UNKNOWN, reason="Passive", message=standby)
            for kind in (ACCEPTED, PROGRAMMED, CONNECTED)
        )
    return (_all_accepted([*refusals, *forgeries]), _programmed(failure), _all_connected(peers, refusals))


def says(obj: Mapping[str, Any], wanted: Iterable[Condition]) -> bool:
    """Say whether an object has all these conditions already, whatever others."""
    known = (obj.get("status") or {}).get("conditions") or []
    said = {(each.get("type"), each.get("status"), each.get("reason"), each.get("message")) for each in known}
    return {(each.type, each.status, each.reason, each.message) for each in wanted} <= said


def joined(obj: Mapping[str, Any], wanted: Iterable[Condition], *, now: str) -> list[dict[str, Any]]:
    """Return an object's conditions with ours in place of those of the same type; what others say stays."""
    before = (obj.get("status") or {}).get("conditions") or []
    ours = stamped(wanted, before, now=now, generation=obj["metadata"].get("generation"))
    types = {each["type"] for each in ours}
    return sorted([*(each for each in before if each.get("type") not in types), *ours], key=lambda each: each["type"])


def stamped(
    wanted: Iterable[Condition], before: object, *, now: str, generation: int | None = None
) -> list[dict[str, Any]]:
    """Return conditions as JSON, in order of type, with ``lastTransitionTime``.

    ``before`` is ``status.conditions`` as it stands, read without trust: the time of a condition whose status is
    the same is kept. ``now`` is RFC 3339. ``generation`` becomes ``observedGeneration`` where a kind has a spec.
    """
    entries = before if isinstance(before, list) else []
    known = {
        entry["type"]: entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("type"), str)
    }
    observed = {} if generation is None else {"observedGeneration": generation}
    return [
        {
            "type": condition.type,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message[:LONGEST_MESSAGE],
            **observed,
            "lastTransitionTime": _since(condition, known.get(condition.type), now),
        }
        for condition in sorted(wanted, key=lambda condition: condition.type)
    ]


def _since(condition: Condition, before: Mapping[str, Any] | None, now: str) -> str:
    if before is None or before.get("status") != condition.status:
        return now
    return str(before.get("lastTransitionTime") or now)


def _accepted(peer: PeerReport) -> Condition:
    """Accept a member that has a cable. A version that does not go with ours is said, and cuts nothing (L3-L5)."""
    if text := unsupported(peer.endpoint):
        message = f"{text}: they were never tried together; what is connected stays connected"
        return Condition(type=ACCEPTED, status=TRUE, reason=VERSION_SKEW_UNSUPPORTED, message=message)
    return Condition(type=ACCEPTED, status=TRUE, reason="Accepted", message="addresses and cable driver fit")


def _programmed(failure: str) -> Condition:
    if failure:
        return Condition(type=PROGRAMMED, status=FALSE, reason="KernelRefused", message=failure)
    return Condition(type=PROGRAMMED, status=TRUE, reason="Programmed", message="the kernel holds the plan")


def _connected(peer: PeerReport) -> Condition:  # noqa: PLR0911 - one for each answer
    address = peer.endpoint.health_check_ip
    if address is None:
        message = "the peer offers no healthCheckIP: nothing can be confirmed"
        return Condition(type=CONNECTED, status=UNKNOWN, reason="NoHealthCheckIP", message=message)
    if peer.unauthenticated:
        return Condition(type=CONNECTED, status=FALSE, reason=AUTHENTICATION_FAILED, message=peer.impostor)
    if peer.obstacle is not None:
        return Condition(type=CONNECTED, status=FALSE, reason=peer.obstacle.reason, message=peer.obstacle.message)
    if peer.lacking:
        return Condition(type=CONNECTED, status=FALSE, reason="PartOfCableDown", message=peer.lacking)
    match peer.health:
        case Health.CONNECTED:
            return Condition(
                type=CONNECTED, status=TRUE, reason="RoundTripConfirmed", message=f"{address} answers through the cable"
            )
        case Health.CONNECTING:
            return Condition(
                type=CONNECTED, status=FALSE, reason="Connecting", message=f"{address} has never answered yet"
            )
        case Health.LOST:
            return Condition(
                type=CONNECTED, status=FALSE, reason="RoundTripLost", message=f"{address} answers no longer"
            )


def _all_accepted(refusals: Sequence[Refusal]) -> Condition:
    if not refusals:
        return Condition(type=ACCEPTED, status=TRUE, reason="Accepted", message="every member is accepted")
    reasons = {refusal.reason for refusal in refusals}
    named = "; ".join(f"{refusal.cluster_id or '?'}: {refusal.message}" for refusal in refusals)
    return Condition(
        type=ACCEPTED,
        status=FALSE,
        reason=min(reasons) if len(reasons) == 1 else "MembersRefused",
        message=named,
    )


def _all_connected(peers: Sequence[PeerReport], refusals: Sequence[Refusal]) -> Condition:
    wrong = [(peer.endpoint.cluster_id, condition) for peer in peers if (condition := _connected(peer)).status != TRUE]
    if wrong:
        named = "; ".join(f"{cluster}: {condition.message}" for cluster, condition in wrong)
        worst = min((condition for _, condition in wrong), key=lambda condition: condition.status)
        return Condition(type=CONNECTED, status=worst.status, reason=worst.reason, message=named)
    if not peers:
        reason = "NoneAccepted" if refusals else "NoPeers"
        return Condition(type=CONNECTED, status=UNKNOWN, reason=reason, message="there is nobody to be connected to")
    return Condition(type=CONNECTED, status=TRUE, reason="RoundTripConfirmed", message="every accepted member answers")
