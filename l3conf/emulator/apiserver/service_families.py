"""Which address families a Service gets, and whether it may have them (KEP-563). Pure.

The first family is the Service's for good; the second comes and goes with ``ipFamilyPolicy``.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.field_error import FieldError, invalid
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HEADLESS = "None"
SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyChoice:
    """``ipFamilyPolicy`` and ``ipFamilies`` as they will be stored."""

    policy: str
    families: tuple[str, ...]


def choose_families(
    spec: Mapping[str, Any], old: Mapping[str, Any], addresses: Sequence[str], configured: Sequence[str]
) -> FamilyChoice | list[FieldError]:
    """Return the choice, or what is wrong with what was asked for.

    ``addresses`` are the ClusterIPs asked for or there already, ``configured`` the families of the cluster's
    service ranges in their order.
    """
    asked = list(spec.get("ipFamilies") or _families_of(addresses))
    policy = spec.get("ipFamilyPolicy") or (REQUIRE if len(asked) > 1 else SINGLE)
    leaves_one = policy == SINGLE and old.get("ipFamilyPolicy") in {PREFER, REQUIRE}
    if leaves_one:
        asked = asked[:1]
    if problems := list(_problems(asked, policy, old, addresses, configured)):
        return problems
    rest = [family for family in configured if family not in asked]
    families = asked + rest if policy != SINGLE else asked or rest[:1]
    return FamilyChoice(policy=policy, families=tuple(families))


def _families_of(addresses: Sequence[str]) -> list[str]:
    return [IPFamily.of(ip_address(text)).value for text in addresses if text != HEADLESS]


def _problems(
    asked: Sequence[str],
    policy: str,
    old: Mapping[str, Any],
    addresses: Sequence[str],
    configured: Sequence[str],
) -> Iterator[FieldError]:
    for index, family in enumerate(asked):
        if family not in configured:
            yield invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        elif family in asked[:index]:
            yield invalid(f"spec.ipFamilies[{index}]", family, "is there already")
    if policy == REQUIRE and len(configured) == 1:
        why = "this cluster is not configured for dual-stack services"
        yield invalid("spec.ipFamilyPolicy", policy, why)
    if policy == SINGLE and len(asked) > 1:
        why = "when `ipFamilyPolicy` is `SingleStack`, only one family may be named"
        yield invalid("spec.ipFamilies", list(asked), why)
    before = old.get("ipFamilies") or asked
    if before[:1] != list(asked)[:1] and asked:
        yield invalid("spec.ipFamilies[0]", asked[0], "may not change once set")
    for index, (text, family) in enumerate(zip(_families_of(addresses), asked, strict=False)):
        if text != family:
            yield invalid(
                f"spec.clusterIPs[{index}]", addresses[index], f"expected an {family} value as `ipFamilies` has it"
            )
