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

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ISOLATED, CONFLICTED = "Isolated", "Conflicted"
"""Reasons in conditions."""
Object: TypeAlias = Mapping[str, Any]
Labels: TypeAlias = Mapping[str, str]


class Operator(enum.Enum):
    """How a requirement compares, as of ``metav1.LabelSelectorRequirement``."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One demand on a cluster's labels."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        """Say whether labels meet it; a label that is missing is in no set (``NotIn`` matches, as in Kubernetes)."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must be met; none selects every cluster."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Say whether a cluster is of this side."""
        return all(each.matches(labels) for each in self.requirements)


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
        return Decision(connects=False, reason=ISOLATED, message="no connection policy matches this pair")
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
        left=_selector(spec.get("left"), "spec.left"),
        right=_selector(spec.get("right"), "spec.right"),
        action=_one_of(Action, spec.get("action"), "spec.action"),
        cable_driver=driver,
    )


def unreadable(name: str) -> Policy:
    """Return what stands for a policy that cannot be read: it connects nobody, and is there."""
    nobody = Selector((Requirement("", Operator.EXISTS),))
    return Policy(name=name, left=nobody, right=nobody, action=Action.ISOLATE)


def member_of(obj: Object, cluster_id: str) -> Member:
    """Return what policies see of a Cluster object."""
    spec = obj.get("spec")
    colors = spec.get("color_codes") if isinstance(spec, Mapping) else None
    return Member(
        cluster_id=cluster_id,
        labels={str(key): str(value) for key, value in (obj["metadata"].get("labels") or {}).items()},
        colors=frozenset(map(str, colors)) if isinstance(colors, list) else frozenset(),
    )


def _selector(found: object, where: str) -> Selector:
    if not isinstance(found, Mapping):
        raise MalformedObjectError(f"{where}: not a label selector")
    labels, expressions = found.get("matchLabels") or {}, found.get("matchExpressions") or []
    if not isinstance(labels, Mapping) or not isinstance(expressions, list):
        raise MalformedObjectError(f"{where}: not a label selector")
    return Selector(
        (
            *(Requirement(str(key), Operator.IN, frozenset({str(value)})) for key, value in sorted(labels.items())),
            *_requirements(expressions, f"{where}.matchExpressions"),
        )
    )


def _requirements(expressions: Iterable[object], where: str) -> Iterable[Requirement]:
    for index, found in enumerate(expressions):
        here = f"{where}[{index}]"
        if not isinstance(found, Mapping) or not isinstance(found.get("key"), str):
            raise MalformedObjectError(f"{here}.key: missing")
        operator = _one_of(Operator, found.get("operator"), f"{here}.operator")
        values = found.get("values") or []
        if not isinstance(values, list):
            raise MalformedObjectError(f"{here}.values: not a list")
        if bool(values) is (operator in {Operator.EXISTS, Operator.DOES_NOT_EXIST}):
            raise MalformedObjectError(f"{here}.values: {'must be empty' if values else 'missing'}")
        yield Requirement(found["key"], operator, frozenset(map(str, values)))


def _one_of(kind: type[enum.Enum], found: object, where: str) -> Any:  # noqa: ANN401 - a member of ``kind``
    try:
        return kind(found)
    except ValueError:
        allowed = ", ".join(each.value for each in kind)
        raise MalformedObjectError(f"{where}: {str(found)[:64]!r} is none of {allowed}") from None
