"""Addresses that libipsec wants of a node are not chosen for what the node itself sends (L3-F7)."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from reference_impl.drivers.address_labels import AddressLabels
from reference_impl.drivers.charon import Charon, DaemonState
from reference_impl.drivers.ipsec_device import IPsecDevice
from reference_impl.drivers.kernel_objects import KernelObjects
from reference_impl.drivers.kernel_view import KernelView
from reference_impl.drivers.netlink import IPRoute
from reference_impl.names import ADDRESS_LABEL, IPSEC_DEVICE
from reference_impl.operations import Verb
from reference_impl.state import IPsecLink, Ownership
from reference_impl.tests.kernel.sandbox import sandboxed, shell

if TYPE_CHECKING:
    from collections.abc import Iterable

OWNERSHIP = Ownership(protocol=180, devices=(IPSEC_DEVICE,), table="l3conf-test")
ANCHOR = IPv6Address("fd10:2::")
LINK = IPsecLink(name=IPSEC_DEVICE, mtu=1400, anchors=frozenset({ANCHOR, ip_address("10.2.0.0")}))
GROUND = (
    "ip link add eth0 type veth peer name far; ip link set eth0 up; ip link set far up;"
    "ip address add 172.16.2.10/24 dev eth0; ip address add fd01:2::a/64 dev eth0 nodad;"
    "ip link add veth3 type veth peer name pod; ip link set veth3 up; ip link set pod up;"
    "ip route add fd10:2::3/128 dev veth3;"
    f"ip tuntap add {IPSEC_DEVICE} mode tun"
)
TO_A_POD = "ip -6 route get fd10:2::3"


class Idle(Charon):
    """A daemon without connections, which carries packets itself."""

    def read(self) -> DaemonState | None:
        return DaemonState(connections=(), libipsec=True)


class Node:
    """The IPsec device of the namespace that this is made in."""

    def __init__(self) -> None:
        self._netlink = IPRoute()
        self._objects = KernelObjects()
        self.device = IPsecDevice(None, Idle())

    def step(self, verb: Verb, link: IPsecLink = LINK) -> None:
        self.device.step(self._netlink, verb, link)

    def links(self) -> Iterable[IPsecLink]:
        return self.device.observe(KernelView(self._objects, OWNERSHIP)).links


def _with_device() -> Node:
    shell(GROUND)
    node = Node()
    node.step(Verb.SET)
    return node


def _labels() -> list[str]:
    return [line.split()[1] for line in shell("ip addrlabel").splitlines() if str(ADDRESS_LABEL) in line.split()]


@sandboxed
def test_a_node_goes_on_choosing_its_own_address_for_its_pods() -> None:
    shell(GROUND)
    before = shell(TO_A_POD)
    assert "src fd01:2::a" in before
    node = Node()
    assert node.links() == frozenset()
    node.step(Verb.SET)
    assert node.links() == {LINK}
    assert shell(TO_A_POD) == before
    assert f"{ANCHOR}/128" in shell(f"ip -6 address show dev {IPSEC_DEVICE}")


@sandboxed
def test_without_the_label_the_kernel_would_choose_the_address() -> None:
    """What the others prove they prove of a kernel that needs it."""
    _with_device()
    shell(f"ip addrlabel del prefix {ANCHOR}/128 label {ADDRESS_LABEL}")
    assert f"src {ANCHOR}" in shell(TO_A_POD)


@sandboxed
def test_a_label_that_was_lost_is_missed_and_given_again() -> None:
    node = _with_device()
    shell(f"ip addrlabel del prefix {ANCHOR}/128 label {ADDRESS_LABEL}")
    assert [sorted(map(str, link.anchors)) for link in node.links()] == [["10.2.0.0"]]
    node.step(Verb.SET)
    assert node.links() == {LINK}


@sandboxed
def test_labels_go_with_the_device_and_without_it() -> None:
    """A daemon that was killed took its device along; the kernel keeps the labels."""
    node = _with_device()
    shell(f"ip link del {IPSEC_DEVICE}")
    assert _labels() == [f"{ANCHOR}/128"]
    left = node.links()
    assert [link.anchors for link in left] == [frozenset()]
    for link in left:
        node.step(Verb.REMOVE, link)
    assert (_labels(), node.links()) == ([], frozenset())


@sandboxed
def test_labels_of_others_stay() -> None:
    shell(
        f"{GROUND}; ip addrlabel add prefix fd99::/64 label {ADDRESS_LABEL}; ip addrlabel add prefix fd98::/128 label 7"
    )
    before = shell("ip addrlabel")
    node = Node()
    assert node.links() == frozenset()
    node.step(Verb.SET)
    node.step(Verb.REMOVE)
    assert shell("ip addrlabel") == before


@sandboxed
def test_a_label_of_another_number_gives_way() -> None:
    shell(f"{GROUND}; ip addrlabel add prefix {ANCHOR}/128 label 7")
    labels = AddressLabels()
    assert labels.read() == frozenset()
    labels.give(ANCHOR)
    labels.give(ANCHOR)
    assert labels.read() == {ANCHOR}
    assert _labels() == [f"{ANCHOR}/128"]
    labels.take(ANCHOR)
    labels.take(ANCHOR)
    assert labels.read() == frozenset()
    labels.close()
