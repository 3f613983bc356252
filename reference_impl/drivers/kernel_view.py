"""One look at the kernel through rtnetlink: messages in, values out, the owner's part only."""

from __future__ import annotations

import functools
import itertools
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from reference_impl.names import IPSEC_DEVICE
from reference_impl.state import (
    ForwardingEntry,
    HostAddress,
    InterfaceAddress,
    IPsecLink,
    Link,
    Neighbour,
    Ownership,
    WireGuardLink,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from ipaddress import IPv6Address

    from reference_impl.drivers.kernel_objects import KernelObjects
    from reference_impl.protocols.wireguard_uapi import DeviceState
    from reference_impl.state import IPAddress

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
NUD_PERMANENT = 0x80
_IFA_F_DEPRECATED = 0x20

TUNNEL_KINDS = frozenset({"wireguard", "xfrm", "tun"})
"""The kernel's WireGuard and ESP, and those of wireguard-go and libipsec."""


class KernelView:
    """What one owner has in the kernel, and the node's addresses. Everything is read once, when it is first wanted."""

    def __init__(self, objects: KernelObjects, ownership: Ownership) -> None:
        self._objects = objects
        self._ownership = ownership
        self._links: dict[int, Any] = {message["index"]: message for message in objects.links()}

    def links(self) -> Iterable[Link]:
        """Return the owner's devices that are there, but for WireGuard's and IPsec's."""
        for index in self.own_indices:
            message = self._links[index]
            if self.kind(message.get_attr("IFLA_IFNAME")) in TUNNEL_KINDS:
                continue
            info = message.get_attr("IFLA_LINKINFO")
            data = info.get_attr("IFLA_INFO_DATA") if info and info.get_attr("IFLA_INFO_KIND") == "vxlan" else None
            local = data and (data.get_attr("IFLA_VXLAN_LOCAL") or data.get_attr("IFLA_VXLAN_LOCAL6"))
            # A device that is down or of another kind under our name counts with MTU 0: it is set right again.
            yield Link(
                name=message.get_attr("IFLA_IFNAME"),
                vni=data.get_attr("IFLA_VXLAN_ID") if data else 0,
                port=data.get_attr("IFLA_VXLAN_PORT") if data else 0,
                local=ip_address(local or "0.0.0.0"),  # noqa: S104 - no address, not a bind
                mac=message.get_attr("IFLA_ADDRESS") or "",
                mtu=_mtu_if_up(message),
            )

    def wireguard_link(
        self, device: str, state: DeviceState | None, public_key: Callable[[bytes], str]
    ) -> WireGuardLink | None:
        """Return a WireGuard device, given what it says of itself; None if it is not there or waits without a key."""
        message = next((m for m in self._links.values() if m.get_attr("IFLA_IFNAME") == device), None)
        if message is None or state is None or state.private_key is None:
            return None
        return WireGuardLink(
            name=device, port=state.port, mtu=_mtu_if_up(message), public_key=public_key(state.private_key)
        )

    def ipsec_link(self, device: str, labelled: frozenset[IPv6Address]) -> IPsecLink | None:
        """Return the IPsec device; None if it is not there or has no address, as libipsec's when it is idle.

        ``labelled``: addresses with our label. Those of IPv6 count with it only; if nothing but labels is left, a
        device without addresses stands for them.
        """
        message = next((m for m in self._links.values() if m.get_attr("IFLA_IFNAME") == device), None)
        found = frozenset(
            address.address
            for address in self._all_addresses
            if address.device == device and not address.address.is_link_local
        )
        if not (found or labelled):
            return None
        anchors = frozenset(address for address in found if address.version == 4 or address in labelled)  # noqa: PLR2004
        return IPsecLink(name=device, mtu=_mtu_if_up(message) if message else 0, anchors=anchors)

    def kind(self, device: str) -> str:
        """Return the kind of a device, "" if there is none or it is a plain one."""
        for message in self._links.values():
            if message.get_attr("IFLA_IFNAME") == device:
                info = message.get_attr("IFLA_LINKINFO")
                return str(info.get_attr("IFLA_INFO_KIND") or "") if info else ""
        return ""

    @functools.cached_property
    def own_indices(self) -> Sequence[int]:
        """Indices of the owner's devices that are there."""
        return [i for i, m in self._links.items() if m.get_attr("IFLA_IFNAME") in self._ownership.devices]

    def addresses(self) -> Iterable[InterfaceAddress]:
        """Return every address of the node, but for those that are only there for libipsec's sake."""
        return (address for address in self._all_addresses if address.device != IPSEC_DEVICE)

    @functools.cached_property
    def _address_messages(self) -> Sequence[tuple[str, IPAddress, Any]]:
        """Return device, address and message of every address of the node."""
        return [
            (link.get_attr("IFLA_IFNAME"), ip_address(address), message)
            for message in self._objects.addresses()
            if (link := self._links.get(message["index"])) is not None
            and (address := message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS"))
        ]

    @functools.cached_property
    def _all_addresses(self) -> Sequence[InterfaceAddress]:
        mtus = {index: link.get_attr("IFLA_MTU") for index, link in self._links.items()}
        return [
            InterfaceAddress(device=device, address=address, mtu=mtus[message["index"]])
            for device, address, message in self._address_messages
        ]

    def host_addresses(self) -> Iterable[HostAddress]:
        """Return the addresses on the owner's devices, but for those that the kernel gives every device."""
        for device, address, message in self._address_messages:
            if message["index"] in self.own_indices and device != IPSEC_DEVICE and not address.is_link_local:
                preferred = address.version == 6 and not message["flags"] & _IFA_F_DEPRECATED  # noqa: PLR2004
                yield HostAddress(device=device, address=address, preferred=preferred)

    def neighbours(self) -> Iterable[Neighbour]:
        """Return the permanent neighbours on the owner's device."""
        for index, family in itertools.product(self.own_indices, FAMILIES.values()):
            for entry in self._objects.neighbours(family, index):
                if entry.state & NUD_PERMANENT and entry.destination is not None:
                    name = self._links[index].get_attr("IFLA_IFNAME")
                    yield Neighbour(device=name, address=entry.destination, mac=entry.mac)

    def forwarding(self) -> Iterable[ForwardingEntry]:
        """Return the forwarding entries of the owner's VXLAN devices."""
        for link in self.links():
            index = next(i for i, m in self._links.items() if m.get_attr("IFLA_IFNAME") == link.name)
            for entry in self._objects.neighbours(socket.AF_BRIDGE, index):
                if entry.destination is not None:
                    port = entry.port or link.port
                    yield ForwardingEntry(device=link.name, mac=entry.mac, destination=entry.destination, port=port)

    def names(self) -> dict[int, str]:
        """Return all devices by index."""
        return {index: message.get_attr("IFLA_IFNAME") for index, message in self._links.items()}


def _mtu_if_up(message: Any) -> int:  # noqa: ANN401 - pyroute2 is untyped
    return int(message.get_attr("IFLA_MTU")) if message["flags"] & 1 else 0
