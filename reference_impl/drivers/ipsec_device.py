"""A gateway node's IPsec as links and peers are seen and set: rtnetlink for the device, the IKE daemon for the rest.

With libipsec the device is the daemon's own (kind ``tun``); where the kernel has ESP it is an XFRM interface of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from reference_impl.drivers.address_labels import AddressLabels
from reference_impl.drivers.charon import Charon
from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.netlink import NetlinkError, device_index
from reference_impl.drivers.pair_secret import pair_secret
from reference_impl.names import IPSEC_DEVICE, IPSEC_INTERFACE_ID
from reference_impl.operations import Verb
from reference_impl.protocols.ike import sub_tunnels
from reference_impl.state import IPsecLink, IPsecPeer, SubTunnel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.drivers.charon import IKEControl
    from reference_impl.drivers.kernel_view import KernelView
    from reference_impl.drivers.key_file import Key
    from reference_impl.state import IPAddress

KIND = "xfrm"
_NOWHERE = "no IKE daemon on this node: no packet leaves in the clear; is the pod of submariner-ipsec running here?"


@dataclass(frozen=True, slots=True, kw_only=True)
class IPsecView:
    """Device and daemon as found."""

    links: frozenset[IPsecLink] = frozenset()
    peers: frozenset[IPsecPeer] = frozenset()
    sub_tunnels: frozenset[SubTunnel] = frozenset()
    located: frozenset[tuple[str, IPAddress, int]] = frozenset()
    """Public key, and address and port that the daemon sends to."""


@dataclass(slots=True)
class IPsecDevice:
    """The one IPsec device of a gateway node."""

    key: Key | None
    control: IKEControl = field(default_factory=Charon)
    labels: AddressLabels = field(default_factory=AddressLabels)

    def observe(self, view: KernelView) -> IPsecView:
        """Read device and daemon. A device without addresses is an idle one and counts as absent."""
        state = self.control.read()
        link = view.ipsec_link(IPSEC_DEVICE, self.labels.read())
        connections = state.connections if state else ()
        return IPsecView(
            links=frozenset([link]) if link else frozenset(),
            peers=frozenset(connection.peer for connection in connections),
            sub_tunnels=sub_tunnels(connections),
            located=frozenset((each.peer.public_key, *each.place) for each in connections if each.place),
        )

    def step(self, netlink: Any, verb: Verb, item: IPsecLink | IPsecPeer) -> None:  # noqa: ANN401 - pyroute2 is untyped
        """Carry out one step. ``KernelError`` or pyroute2's error if it is refused."""
        match verb, item:
            case Verb.SET, IPsecLink():
                self._set(netlink, item)
            case Verb.REMOVE, IPsecLink():
                self._remove(netlink)
            case Verb.SET, IPsecPeer():
                self._load(item)
            case Verb.REMOVE, IPsecPeer():
                if self.control.read() is not None:
                    self.control.unload(item.name)

    def close(self) -> None:
        """Close the socket that labels are read from. Idempotent."""
        self.labels.close()

    def _load(self, peer: IPsecPeer) -> None:
        if self.key is None or self.key.public != peer.own_key:
            raise KernelError(f"ike {peer.name}: this process does not have the key that was asked for")
        state = self.control.read()
        if state is None:
            raise KernelError(_NOWHERE)
        secret = pair_secret(self.key, peer.public_key)
        self.control.load(peer, secret, None if state.libipsec else IPSEC_INTERFACE_ID)
        known = next((each.peer for each in state.connections if each.peer.name == peer.name), None)
        if known is not None and known.stands_by and not peer.stands_by:
            self.control.begin(peer.name)

    def _set(self, netlink: Any, link: IPsecLink) -> None:  # noqa: ANN401 - pyroute2 is untyped
        state = self.control.read()
        if state is None:
            raise KernelError(_NOWHERE)
        found = device_index(link.name)
        if found is None and not state.libipsec:
            netlink.link("add", ifname=link.name, kind=KIND, xfrm_if_id=IPSEC_INTERFACE_ID)
            found = device_index(link.name)
        if found is None:
            raise KernelError(f"link {link.name}: the IKE daemon has no device of that name")
        netlink.link("set", index=found, mtu=link.mtu, state="up")
        # Labels before addresses: from its first moment on a node's own packets have the source that they had.
        self._label(frozenset(each for each in link.anchors if isinstance(each, IPv6Address)))
        present = set(_addresses(netlink, found))
        for address in link.anchors - present:
            # Not deprecated, as the route agent's are over IPv6: libipsec then finds none (ADR 10).
            netlink.addr("add", index=found, address=str(address), prefixlen=address.max_prefixlen)
        for address in present - link.anchors:
            netlink.addr("del", index=found, address=str(address), prefixlen=address.max_prefixlen)

    def _label(self, wanted: frozenset[IPv6Address]) -> None:
        """Have these addresses labelled, and no others: labels outlive their device."""
        labelled = self.labels.read()
        for address in wanted - labelled:
            self.labels.give(address)
        for address in labelled - wanted:
            self.labels.take(address)

    def _remove(self, netlink: Any) -> None:  # noqa: ANN401 - pyroute2 is untyped
        """Delete the kernel's device; empty libipsec's, which is its process's to delete."""
        found = device_index(IPSEC_DEVICE)
        if found is not None:
            _remove_device(netlink, found)
        self._label(frozenset())


def _remove_device(netlink: Any, index: int) -> None:  # noqa: ANN401 - likewise
    info = netlink.get_links(index)[0].get_attr("IFLA_LINKINFO")
    if info and info.get_attr("IFLA_INFO_KIND") == KIND:
        netlink.link("del", index=index)
        return
    for address in _addresses(netlink, index):
        try:
            netlink.addr("del", index=index, address=str(address), prefixlen=address.max_prefixlen)
        except NetlinkError as error:
            raise KernelError(f"link {IPSEC_DEVICE}: address {address}: {error}") from None


def _addresses(netlink: Any, index: int) -> Iterable[IPAddress]:  # noqa: ANN401 - pyroute2 is untyped
    """Return the addresses that were put on a device, not those it made itself."""
    found = [ip_address(message.get_attr("IFA_ADDRESS")) for message in netlink.get_addr(index=index)]
    return [address for address in found if not address.is_link_local]
