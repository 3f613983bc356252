from __future__ import annotations

import socket
from ipaddress import ip_address

from reference_impl.drivers.kernel_objects import KernelObjects, NeighbourEntry
from reference_impl.tests.kernel.sandbox import sandboxed, shell

PERMANENT = 0x80
GROUND = (
    "ip link add eth0 type veth peer name far; ip link set eth0 up; ip link set far up;"
    "ip address add 192.0.2.1/24 dev eth0; ip address add fd00:20:5::a/64 dev eth0 nodad;"
    "ip link add vx type vxlan id 7 dstport 4789 local 192.0.2.1; ip link set vx up"
)


def _index(objects: KernelObjects, name: str) -> int:
    return next(int(each["index"]) for each in objects.links() if each.get_attr("IFLA_IFNAME") == name)


@sandboxed
def test_what_has_not_changed_is_not_decoded_again_whatever_passed_meanwhile() -> None:
    shell(GROUND)
    objects = KernelObjects()
    before, addresses = objects.links(), objects.addresses()
    shell("ping -c1 -W1 192.0.2.1; ping -c1 -W1 ::1")
    for known, seen in ((before, objects.links()), (addresses, objects.addresses())):
        assert len(known) == len(seen) > 0
        assert all(one is other for one, other in zip(known, seen, strict=True))
    shell("ip link set eth0 mtu 1300")
    changed = [one.get_attr("IFLA_IFNAME") for one in objects.links() if not any(one is other for other in before)]
    assert changed == ["eth0"]
    objects.close()


@sandboxed
def test_neighbours_and_forwarding_entries_are_those_of_the_device_in_either_version() -> None:
    shell(
        f"{GROUND}; ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent;"
        "ip neigh add fd00:20:5::9 lladdr 02:00:00:00:00:06 dev eth0 nud permanent;"
        "ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:99 dev vx nud permanent;"
        "bridge fdb append 02:00:00:00:00:01 dev vx dst 192.0.2.7 port 4501;"
        "bridge fdb append 02:00:00:00:00:02 dev vx dst 192.0.2.8"
    )
    objects = KernelObjects()
    eth0, vx = _index(objects, "eth0"), _index(objects, "vx")
    four = objects.neighbours(socket.AF_INET, eth0)
    assert four == [NeighbourEntry(PERMANENT, ip_address("192.0.2.9"), "02:00:00:00:00:09", 0)]
    six = [each for each in objects.neighbours(socket.AF_INET6, eth0) if each.state & PERMANENT]
    assert six == [NeighbourEntry(PERMANENT, ip_address("fd00:20:5::9"), "02:00:00:00:00:06", 0)]
    doors = {(each.mac, str(each.destination), each.port) for each in objects.neighbours(socket.AF_BRIDGE, vx)}
    assert {("02:00:00:00:00:01", "192.0.2.7", 4501), ("02:00:00:00:00:02", "192.0.2.8", 0)} <= doors
    assert not any(each.destination for each in objects.neighbours(socket.AF_BRIDGE, eth0))
    objects.close()
