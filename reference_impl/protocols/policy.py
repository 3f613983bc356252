"""Which clusters may connect: ClusterConnectionPolicy (``l3conf.io/v1alpha1``) and ``color_codes``, as pure functions.

No policy at all: everybody connects, except clusters that both name colours and share none. Once one policy exists, a
pair connects only if the policies that match it most specifically all say ``Connect``; if they disagree it does not,
and that is a conflict. A pair has no direction: a policy matches it if one cluster is of its left side and the other
of its right. Nothing here is transitive (KEP "Layer 3 Connectivity Between Clusters", story 4).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.protocols.object_codec import MalformedObjectError
from reference_impl.protocols.selectors import Operator, Requirement, Selector, one_of, parse_selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reference_impl.protocols.selectors import Labels

ISOLATED, CONFLICTED = "Isolated", "Conflicted"
"""Reasons in conditions."""
Object: TypeAlias = Mapping[str, Any]


class Action(enum.Enum):
    """What a policy says of the pairs that it matches."""

    CONNECT = "Connect"
    ISOLATE = "Isolate"


@dataclass(frozen=True, slots=True)
class Policy:
    """A ClusterConnectionPolicy."""

    name: str
    left: Selector
    right: Selector
    action: Action
    cable_driver: str = ""
    """"" leaves it to the pair."""
    problem: str = ""
    """Why it cannot be read; "" if it can."""

    @property
    def specificity(self) -> int:
        """Return how narrow it is: the number of its requirements."""
        return len(self.left.requirements) + len(self.right.requirements)

    def matches(self, one: Labels, other: Labels) -> bool:
        """Say whether it is about this pair, in either order."""
        return (self.left.matches(one) and self.right.matches(other)) or (
            self.left.matches(other) and self.right.matches(one)
        )


@dataclass(frozen=True, slots=True)
class Member:
    """What policies see of a cluster."""

    cluster_id: str
    labels: Labels
    colors: frozenset[str] = frozenset()
    """``spec.color_codes``; empty: every colour."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a pair connects, and why not."""

    connects: bool
    reason: str = ""
    """``ISOLATED``, ``CONFLICTED``; "" where it connects."""
    message: str = ""
    cable_driver: str = ""
    """The driver that the pair must use; "" if none is named."""


CONNECTED = Decision(connects=True)
"""What holds where nobody says anything."""


def decide(policies: Sequence[Policy], one: Member, other: Member) -> Decision:
    """Decide about a pair; the same for either order of its clusters and any order of the policies."""
    if not policies:
        if one.colors and other.colors and not one.colors & other.colors:
            return Decision(connects=False, reason=ISOLATED, message="the two clusters share none of their colours")
        return CONNECTED
    matching = [policy for policy in policies if policy.matches(one.labels, other.labels)]
    if not matching:
        unread = sorted(f"; {policy.name} cannot be read: {policy.problem}" for policy in policies if policy.problem)
        message = f"no connection policy matches this pair{''.join(unread)}"
        return Decision(connects=False, reason=ISOLATED, message=message)
    narrowest = max(policy.specificity for policy in matching)
    deciding = sorted(
        (policy for policy in matching if policy.specificity == narrowest), key=lambda policy: policy.name
    )
    said = {(policy.action, policy.cable_driver) for policy in deciding}
    names = " and ".join(policy.name for policy in deciding)
    if len(said) > 1:
        return Decision(connects=False, reason=CONFLICTED, message=f"connection policies {names} disagree")
    ((action, driver),) = said
    if action is Action.ISOLATE:
        return Decision(connects=False, reason=ISOLATED, message=f"connection policy {names} says so")
    return Decision(connects=True, cable_driver=driver)


def decide_each(policies: Sequence[Policy], one: Member, others: Iterable[Member]) -> dict[str, Decision]:
    """Decide about one cluster and each of the others, by their ids, as ``decide`` does pair by pair.

    Most policies of a large set are about other pairs: whether one is about this cluster at all is asked once.
    """
    about = [policy for policy in policies if policy.left.matches(one.labels) or policy.right.matches(one.labels)]
    # One that is about other pairs stands for all of these: where there is any policy, silence means no.
    deciding = about or policies[:1]
    return {other.cluster_id: decide(deciding, one, other) for other in others}


def parse_policy(obj: Object) -> Policy:
    """Return the policy that an object is; ``MalformedObjectError`` names the field that is wrong."""
    spec = obj.get("spec")
    if not isinstance(spec, Mapping):
        raise MalformedObjectError("spec: missing")
    driver = spec.get("cableDriver", "")
    if not isinstance(driver, str):
        raise MalformedObjectError("spec.cableDriver: not a text")
    return Policy(
        name=str(obj["metadata"]["name"]),
        left=parse_selector(spec.get("left"), "spec.left"),
        right=parse_selector(spec.get("right"), "spec.right"),
        action=one_of(Action, spec.get("action"), "spec.action"),
        cable_driver=driver,
    )


def unreadable(name: str, problem: str) -> Policy:
    """Return what stands for a policy that cannot be read: it connects nobody, and is there."""
    nobody = Selector((Requirement("", Operator.EXISTS),))
    return Policy(name=name, left=nobody, right=nobody, action=Action.ISOLATE, problem=problem)


def member_of(obj: Object, cluster_id: str) -> Member:
    """Return what policies see of a Cluster object."""
    spec = obj.get("spec")
    colors = spec.get("color_codes") if isinstance(spec, Mapping) else None
    return Member(
        cluster_id=cluster_id,
        labels={str(key): str(value) for key, value in (obj["metadata"].get("labels") or {}).items()},
        colors=frozenset(map(str, colors)) if isinstance(colors, list) else frozenset(),
    )
