"""An address that we give a node is there for those who ask for it, and changes nothing for others."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from reference_impl.drivers.linux_kernel import LinuxKernel
from reference_impl.operations import Operation, Verb
from reference_impl.planner.diff import diff
from reference_impl.state import HostAddress, KernelState, Link, Observed, Ownership
from reference_impl.tests.kernel.sandbox import sandboxed, shell

OWNERSHIP = Ownership(protocol=180, devices=("vxlan-tunnel",), table="l3conf-test")
LINK = Link(name="vxlan-tunnel", vni=1000, port=4500, local=ip_address("192.0.2.1"), mac="02:00:00:00:00:01", mtu=1400)
ADDRESS = HostAddress(device=LINK.name, address=ip_address("fd77:0:0:100::"))
PLAN = KernelState(links=frozenset({LINK}), host_addresses=frozenset({ADDRESS}))
GROUND = (
    "ip link add eth0 type veth peer name far; ip link set eth0 up; ip link set far up;"
    "ip address add 192.0.2.1/24 dev eth0; ip address add fd00:20:5::a/64 dev eth0 nodad;"
    "ip link add veth3 type veth peer name pod; ip link set veth3 up; ip link set pod up;"
    "ip route add fd77:0:0:100::3/128 dev veth3"
)
TO_A_POD = "ip -6 route get fd77:0:0:100::3"


def _converged(kernel: LinuxKernel) -> Observed:
    assert kernel.apply(diff(PLAN, kernel.observe())) == ()
    seen = kernel.observe()
    assert diff(PLAN, seen) == ()
    return seen


@sandboxed
def test_a_node_goes_on_choosing_its_own_address_for_its_pods() -> None:
    shell(GROUND)
    before = shell(TO_A_POD)
    assert "src fd00:20:5::a" in before
    assert _converged(LinuxKernel(OWNERSHIP)).state.host_addresses == {ADDRESS}
    assert shell(TO_A_POD) == before
    shell(f"ip -6 route add fd88::/16 dev eth0 src {ADDRESS.address}")
    assert f"src {ADDRESS.address}" in shell("ip -6 route get fd88::1")


@sandboxed
def test_one_that_an_earlier_version_left_is_no_longer_preferred() -> None:
    shell(GROUND)
    kernel = LinuxKernel(OWNERSHIP)
    earlier = replace(ADDRESS, preferred=True)
    assert kernel.apply([Operation(Verb.SET, LINK), Operation(Verb.SET, earlier)]) == ()
    assert kernel.observe().state.host_addresses == {earlier}
    assert f"src {ADDRESS.address}" in shell(TO_A_POD)
    assert _converged(kernel).state.host_addresses == {ADDRESS}
    assert "src fd00:20:5::a" in shell(TO_A_POD)
