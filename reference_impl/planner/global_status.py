"""What objects about global addresses say in their status. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.planner.conditions import FALSE, TRUE, Condition
from reference_impl.planner.global_objects import INGRESS_KIND, uid_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.planner.global_objects import Unusable
    from reference_impl.planner.ledger import Settlement

Object: TypeAlias = dict[str, Any]
ALLOCATED = "Allocated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one object has to say."""

    obj: Object
    condition: Condition
    """Whether it has its addresses."""
    target: Condition | None = None
    """Whether what it names is there; None if it names nothing."""
    addresses: tuple[str, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Return all of them."""
        return (self.condition,) if self.target is None else (self.condition, self.target)


def plan_statuses(
    objects: Iterable[Object],
    settlement: Settlement,
    unusable: Iterable[Unusable],
    targets: Mapping[str, Condition] = MappingProxyType({}),
) -> tuple[Said, ...]:
    """Return what every object should say of its addresses. ``targets``: whether what it names is there, by uid."""
    wrong = {uid_of(each.obj): each for each in unusable}
    said = []
    for obj in objects:
        uid = uid_of(obj)
        addresses = tuple(map(str, settlement.ledger.addresses(uid)))
        if uid in wrong:
            condition = Condition(type=ALLOCATED, status=FALSE, reason=wrong[uid].reason, message=wrong[uid].message)
        elif uid in settlement.refused:
            text = settlement.refused[uid]
            condition = Condition(type=ALLOCATED, status=FALSE, reason="PoolExhausted", message=text)
        else:
            condition = Condition(type=ALLOCATED, status=TRUE, reason="Success", message="Allocated global IP(s)")
        said.append(Said(obj=obj, condition=condition, target=targets.get(uid), addresses=addresses))
    return tuple(said)


def addresses_of(said: Said) -> Mapping[str, object]:
    """Return the field of the status that holds the addresses, as a JSON merge patch has it."""
    if said.obj.get("kind") == INGRESS_KIND:
        return {"allocatedIP": said.addresses[0] if said.addresses else None}
    return {"allocatedIPs": list(said.addresses) or None}
