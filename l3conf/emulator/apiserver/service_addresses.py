"""ClusterIPs and node ports of Services: allocated in order, never two the same, as asked for where it is free."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.admission import Change, Passive
from l3conf.emulator.apiserver.schemas.field_error import invalid
from l3conf.emulator.apiserver.service_families import HEADLESS, choose_families
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.schemas.field_error import FieldError
    from l3conf.emulator.cluster_api import Object
    from l3conf.model.topology import IPAddress, IPNetwork

NODE_PORTS = range(30000, 32768)
API_SERVICE = ("default", "kubernetes")
"""The first address of the range is its alone."""


class AddressRange:
    """Addresses of one service CIDR. Freed ones come back last, so that no client meets a stranger soon."""

    def __init__(self, network: IPNetwork) -> None:
        self.network = network
        self.first: IPAddress = network[1]
        self.used: set[IPAddress] = set()
        self._next = 2

    def free(self) -> IPAddress | None:
        """Return the next free address, without taking it; None if all are taken."""
        usable = self.network.num_addresses - 3
        for offset in range(usable):
            address: IPAddress = self.network[2 + (self._next - 2 + offset) % usable]
            if address not in self.used:
                return address
        return None

    def take(self, address: IPAddress) -> None:
        """Take an address."""
        self.used.add(address)
        if address != self.first:
            self._next = int(address) - int(self.network[0]) + 1


class ServiceAddresses(Passive):
    """Admits Services: fills ``clusterIP(s)``, ``ipFamilies``, ``ipFamilyPolicy`` and node ports."""

    keys = frozenset({"services"})

    def __init__(self, service_cidrs: Sequence[IPNetwork]) -> None:
        self._ranges = [AddressRange(network) for network in service_cidrs]
        self._ports: set[int] = set()

    @property
    def api_address(self) -> IPAddress | None:
        """The ClusterIP of Service default/kubernetes."""
        return self._ranges[0].first if self._ranges else None

    def admit(self, change: Change) -> None:
        """Choose the addresses; they are taken only when the Service is stored."""
        spec, old = change.new["spec"], (change.old or {}).get("spec") or {}
        if spec.get("type") == "ExternalName":
            for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(name, None)
            return
        if spec.get("clusterIP") and spec["clusterIP"] != old.get("clusterIP", spec["clusterIP"]):
            spec["clusterIPs"] = [spec["clusterIP"]]  # a client that knows only the singular field changed it
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(name) and old.get(name):
                spec[name] = old[name]
        self._choose_addresses(change, spec, old)
        self._choose_ports(spec, old)

    def stored(self, change: Change) -> None:
        """Take what the Service has now; give back what it had before."""
        self._release(change.old or {})
        for address, owner in self._owned(change.new):
            owner.take(address)
        self._ports.update(_node_ports(change.new))

    def removed(self, resource: Resource, obj: Object) -> None:
        """Give everything back."""
        del resource
        self._release(obj)

    def _release(self, service: Object) -> None:
        for address, owner in self._owned(service):
            owner.used.discard(address)
        self._ports.difference_update(_node_ports(service))

    def _owned(self, service: Object) -> list[tuple[IPAddress, AddressRange]]:
        texts = (service.get("spec") or {}).get("clusterIPs") or ()
        addresses = [ipaddress.ip_address(text) for text in texts if text != HEADLESS]
        return [(a, r) for a in addresses for r in self._ranges if a in r.network]

    def _choose_addresses(self, change: Change, spec: dict[str, Any], old: dict[str, Any]) -> None:
        asked = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
        if asked and spec.get("clusterIP") and spec["clusterIP"] != asked[0]:
            _refuse(change, [invalid("spec.clusterIPs", asked, "first value must match `clusterIP`")])
        if asked != (old.get("clusterIPs") or []):
            _refuse(change, self._problems(change, asked))
        configured = [IPFamily.of(owner.network).value for owner in self._ranges]
        choice = choose_families(spec, old, asked, configured)
        if isinstance(choice, list):
            raise errors.invalid("Service", change.new["metadata"]["name"], choice)
        chosen = [HEADLESS] if asked[:1] == [HEADLESS] else self._addresses(choice.families, asked)
        spec["clusterIP"], spec["clusterIPs"] = chosen[0], chosen
        spec["ipFamilies"], spec["ipFamilyPolicy"] = list(choice.families), choice.policy

    def _addresses(self, families: Sequence[str], asked: Sequence[str]) -> list[str]:
        """Return an address for each family: the one asked for, else a free one."""
        known = {IPFamily.of(ipaddress.ip_address(text)).value: text for text in asked}
        chosen = [known.get(family) or self._free(family) for family in families]
        if not chosen or "" in chosen:
            raise errors.internal("failed to allocate a serviceIP: range is full")
        return chosen

    def _free(self, family: str) -> str:
        owner = next(owner for owner in self._ranges if IPFamily.of(owner.network).value == family)
        return str(owner.free() or "")

    def _problems(self, change: Change, asked: Sequence[str]) -> Iterable[FieldError]:
        metadata = change.new["metadata"]
        for index, text in enumerate(asked):
            if text != HEADLESS and (why := self._unusable(text, (metadata.get("namespace", ""), metadata["name"]))):
                yield invalid(f"spec.clusterIPs[{index}]", text if "valid IP" in why else list(asked), why)

    def _unusable(self, text: str, name: tuple[str, str]) -> str:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        owner = next((r for r in self._ranges if address in r.network), None)
        if owner is None or address in {owner.network[0], owner.network[-1]}:
            ranges = ", ".join(str(r.network) for r in self._ranges)
            outside = f"the provided IP ({text}) is not in the valid range"
            return f"failed to allocate IP {text}: {outside}. The range of valid IPs is {ranges}"
        if address in owner.used or (address == owner.first and name != API_SERVICE):
            return f"failed to allocate IP {text}: provided IP is already allocated"
        return ""

    def _choose_ports(self, spec: dict[str, Any], old: dict[str, Any]) -> None:
        """Give node ports to the types that have them; others lose theirs."""
        before = {(port.get("protocol"), port.get("port")): port.get("nodePort") for port in old.get("ports") or ()}
        taken = set(self._ports)
        for port in spec.get("ports") or ():
            if spec["type"] not in {"NodePort", "LoadBalancer"}:
                port.pop("nodePort", None)
                continue
            if not port.get("nodePort"):
                known = before.get((port.get("protocol"), port.get("port")))
                port["nodePort"] = known or next(number for number in NODE_PORTS if number not in taken)
            taken.add(port["nodePort"])


def _node_ports(service: Object) -> set[int]:
    return {port["nodePort"] for port in (service.get("spec") or {}).get("ports") or () if port.get("nodePort")}


def _refuse(change: Change, problems: Iterable[FieldError]) -> None:
    if listed := list(problems):
        raise errors.invalid("Service", change.new["metadata"]["name"], listed)
