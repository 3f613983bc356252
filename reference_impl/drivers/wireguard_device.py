"""A node's WireGuard devices as links and peers are seen and set: rtnetlink for a device, its control for the rest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.key_file import Key, public_key
from reference_impl.drivers.netlink import NetlinkError, device_index, existing_index
from reference_impl.drivers.wireguard import KernelControl, UserspaceControl
from reference_impl.names import WIREGUARD_DEVICE, WIREGUARD_SECOND_DEVICE
from reference_impl.operations import Verb
from reference_impl.state import WireGuardLink, WireGuardPeer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.drivers.kernel_view import KernelView
    from reference_impl.drivers.wireguard import WireGuardControl
    from reference_impl.protocols.wireguard_uapi import PeerState
    from reference_impl.state import IPAddress

HEARD_FROM = 180.0
"""Seconds after the last handshake for which a session, and so a learnt address, is good (REJECT_AFTER_TIME)."""
_KERNELS_KIND = "wireguard"
_CONTROLS: Mapping[str, type[KernelControl | UserspaceControl]] = {
    _KERNELS_KIND: KernelControl,
    "tun": UserspaceControl,
}
_NAMES = frozenset({WIREGUARD_DEVICE, WIREGUARD_SECOND_DEVICE})
_NOWHERE = "neither the kernel nor wireguard-go has a WireGuard device for this node: no packet leaves in the clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireGuardView:
    """Devices as found."""

    links: frozenset[WireGuardLink] = frozenset()
    peers: frozenset[WireGuardPeer] = frozenset()
    roaming: frozenset[str] = frozenset()
    located: frozenset[tuple[str, IPAddress, int]] = frozenset()
    available: frozenset[str] = frozenset()
    """Devices that are there, idle ones too, or that the kernel makes when they are wanted."""


class WireGuardDevices:
    """All WireGuard devices of a gateway node."""

    def __init__(self, key: Key | None, devices: Iterable[str]) -> None:
        self._devices = {device: WireGuardDevice(key, device) for device in devices if device in _NAMES}

    def __bool__(self) -> bool:
        """Say whether there is any that this process may have."""
        return bool(self._devices)

    def observe(self, view: KernelView) -> WireGuardView:
        """Read the devices."""
        seen = [device.observe(view) for device in self._devices.values()]
        made_by_kernel = any(view.kind(device) == _KERNELS_KIND for device in self._devices)
        return WireGuardView(
            links=frozenset(link for each in seen for link in each.links),
            peers=frozenset(peer for each in seen for peer in each.peers),
            roaming=frozenset(key for each in seen for key in each.roaming),
            located=frozenset(place for each in seen for place in each.located),
            available=frozenset(self._devices) if made_by_kernel else frozenset().union(*(s.available for s in seen)),
        )

    def step(self, netlink: Any, verb: Verb, item: WireGuardLink | WireGuardPeer) -> None:  # noqa: ANN401 - untyped
        """Carry out one step. ``KernelError`` or pyroute2's error if it is refused."""
        name = item.name if isinstance(item, WireGuardLink) else item.device
        if name not in self._devices:
            raise KernelError(f"{verb.value} {item}: no such device belongs to this agent")
        self._devices[name].step(netlink, verb, item)


class WireGuardDevice:
    """One WireGuard device of a gateway node."""

    def __init__(self, key: Key | None, device: str = WIREGUARD_DEVICE) -> None:
        self._key = key
        self._device = device
        self._told: dict[str, tuple[IPAddress, int]] = {}
        """By public key: the endpoint last set here. What was set by an earlier process is not known, and not needed:
        its peers count as roaming while they are heard from."""

    def observe(self, view: KernelView) -> WireGuardView:
        """Read the device; an idle one of wireguard-go, without a key, counts as absent."""
        control = _CONTROLS.get(view.kind(self._device))
        state = control(self._device).read() if control else None
        link = view.wireguard_link(self._device, state, public_key)
        available = frozenset([self._device] if state is not None else [])
        if link is None or state is None:
            return WireGuardView(available=available)
        return WireGuardView(
            available=available,
            links=frozenset([link]),
            peers=frozenset(self._peer(peer) for peer in state.peers),
            roaming=frozenset(peer.public_key for peer in state.peers if _is_heard_from(peer)),
            located=frozenset(
                (peer.public_key, *peer.endpoint) for peer in state.peers if peer.endpoint and _is_heard_from(peer)
            ),
        )

    def step(self, netlink: Any, verb: Verb, item: WireGuardLink | WireGuardPeer) -> None:  # noqa: ANN401 - untyped
        """Carry out one step. ``KernelError`` or pyroute2's error if it is refused."""
        match verb, item:
            case Verb.SET, WireGuardLink():
                self._set(netlink, item)
            case Verb.REMOVE, WireGuardLink():
                self._remove(netlink)
            case Verb.SET, WireGuardPeer():
                self._control(netlink).set_peer(item)
                if item.endpoint is not None:
                    self._told[item.public_key] = item.endpoint
            case Verb.REMOVE, WireGuardPeer():
                self._told.pop(item.public_key, None)
                self._control(netlink).remove_peer(item.public_key)

    def _peer(self, peer: PeerState) -> WireGuardPeer:
        told = self._told.get(peer.public_key)
        return WireGuardPeer(
            device=self._device,
            public_key=peer.public_key,
            allowed=peer.allowed,
            endpoint=told if _is_heard_from(peer) else peer.endpoint,
            keepalive=peer.keepalive,
        )

    def _set(self, netlink: Any, link: WireGuardLink) -> None:  # noqa: ANN401 - pyroute2 is untyped
        if self._key is None or self._key.public != link.public_key:
            raise KernelError(f"link {link.name}: this process does not have the key that was asked for")
        if device_index(self._device) is None:
            try:
                netlink.link("add", ifname=self._device, kind="wireguard")
            except NetlinkError:
                raise KernelError(_NOWHERE) from None
        self._control(netlink).configure(self._key.private, link.port)
        netlink.link("set", index=existing_index(self._device), mtu=link.mtu, state="up")

    def _remove(self, netlink: Any) -> None:  # noqa: ANN401 - pyroute2 is untyped
        """Delete the kernel's device; empty wireguard-go's, which is its process's to delete."""
        self._told.clear()
        found = device_index(self._device)
        if found is None:
            return
        control = self._control(netlink)
        if isinstance(control, KernelControl):
            netlink.link("del", index=found)
        else:
            netlink.link("set", index=found, state="down")
            control.reset()

    def _control(self, netlink: Any) -> WireGuardControl:  # noqa: ANN401 - pyroute2 is untyped
        found = device_index(self._device)
        message = netlink.get_links(found)[0] if found is not None else None
        info = message.get_attr("IFLA_LINKINFO") if message else None
        control = _CONTROLS.get(info.get_attr("IFLA_INFO_KIND") or "") if info else None
        if control is None:
            raise KernelError(_NOWHERE)
        return control(self._device)


def _is_heard_from(peer: PeerState) -> bool:
    return bool(peer.handshake) and time.time() - peer.handshake < HEARD_FROM
