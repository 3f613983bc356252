"""A node's state shows whatever was left behind, by name, and nothing that moves by itself."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from l3conf.probes.node_state import Difference, diff_states, files, filters, iproute, put
from l3conf.probes.node_state.__main__ import Reader, _finish, _start, node_state
from l3conf.probes.node_state.kernel_made import is_made_by_kernel
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from pathlib import Path

LEFTOVERS = {
    "link/left": ("ip link add left type bridge", "ip link del left"),
    "address/lo/10.9.9.9/32": ("ip address add 10.9.9.9/32 dev lo", "ip address del 10.9.9.9/32 dev lo"),
    "route/150/10.77.0.0/16 dev lo": (
        "ip route add 10.77.0.0/16 dev lo table 150",
        "ip route del 10.77.0.0/16 dev lo table 150",
    ),
    "route/main/blackhole 10.78.0.0/16": ("ip route add blackhole 10.78.0.0/16", "ip route del blackhole 10.78.0.0/16"),
    "rule/IPv4/1000": ("ip rule add fwmark 7 lookup 150 pref 1000", "ip rule del pref 1000"),
    "rule/IPv6/1001": ("ip -6 rule add to fd00::/8 lookup 150 pref 1001", "ip -6 rule del pref 1001"),
    "addrlabel/fd77::/128": (
        "ip addrlabel add prefix fd77::/128 label 99",
        "ip addrlabel del prefix fd77::/128 label 99",
    ),
    "addrlabel/fd78::/64 dev lo": (
        "ip addrlabel add prefix fd78::/64 dev lo label 99",
        "ip addrlabel del prefix fd78::/64 dev lo label 99",
    ),
    "nexthop/7": ("ip nexthop add id 7 blackhole", "ip nexthop del id 7"),
    "nft/table inet left": ("nft add table inet left", "nft delete table inet left"),
    "qdisc/lo/root": ("tc qdisc add dev lo root tbf rate 1mbit burst 10k latency 1s", "tc qdisc del dev lo root"),
    "xfrm/policy": (
        "ip xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 dir out action block",
        "ip xfrm policy del src 10.1.0.0/16 dst 10.2.0.0/16 dir out",
    ),
    "sysctl/net.ipv4.conf.lo.rp_filter": (
        "sysctl -w net.ipv4.conf.lo.rp_filter=2",
        "sysctl -w net.ipv4.conf.lo.rp_filter=0",
    ),
}


def run(*commands: str) -> None:
    for command in commands:
        subprocess.run(command.split(), check=True, capture_output=True, timeout=20)


@pytest.mark.parametrize(("path", "commands"), LEFTOVERS.items(), ids=LEFTOVERS)
@sandboxed
def test_a_leftover_is_named_and_its_removal_leaves_no_trace(path: str, commands: tuple[str, str]) -> None:
    made, removed = commands
    run("sysctl -w net.ipv4.conf.lo.rp_filter=0")
    before = node_state()
    run(made)
    found = [each.path for each in diff_states(before, node_state())]
    assert any(each.startswith(path) for each in found), found
    run(removed)
    assert diff_states(before, node_state()) == []


@sandboxed
def test_tunnels_rules_and_permanent_neighbours_are_seen_with_their_settings() -> None:
    before = node_state()
    run(
        "ip link add vx type vxlan id 1000 dstport 4500 local 127.0.0.1",
        "ip link set vx up",
        "bridge fdb append 02:00:00:00:00:01 dev vx dst 127.0.0.2",
        "ip neigh add 10.1.0.5 lladdr 02:00:00:00:00:01 dev vx nud permanent",
        "nft add table ip t",
        "nft add chain ip t c { type nat hook postrouting priority 10 ; }",
        "nft add rule ip t c ip saddr 10.0.0.0/8 counter masquerade",
        "nft add set ip t s { type ipv4_addr ; flags interval ; }",
        "nft add element ip t s { 10.3.0.0/16 }",
    )
    left = {each.path: each.after for each in diff_states(before, node_state())}
    assert left["link/vx/id"] == "1000"
    assert left["fdb/vx/02:00:00:00:00:01"] == "dst 127.0.0.2"
    assert left["neighbour/vx/10.1.0.5"] == "02:00:00:00:00:01"
    assert any(path.startswith("nft/rule ip t c") and "masquerade" in path and "packets" not in path for path in left)
    assert any(path.startswith("nft/element ip t s") and "10.3.0.0" in path for path in left)


@sandboxed
def test_traffic_and_time_change_nothing() -> None:
    run(
        "ip link add va type veth peer name vb",
        "ip link set va addrgenmode none",  # link-local addresses become known only after a second
        "ip link set vb addrgenmode none",
        "ip address add 10.0.0.1/24 dev va",
        "ip link set va up",
        "ip link set vb up",
        "nft add table ip t",
        "nft add chain ip t c { type filter hook output priority 0 ; }",
        "nft add rule ip t c counter",
    )
    before = node_state()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:  # a neighbour in vain, counters
        sender.sendto(b"hello", ("10.0.0.9", 9))
    assert diff_states(before, node_state()) == []


@sandboxed
def test_the_command_prints_a_flat_object_of_strings() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "l3conf.probes.node_state"], check=True, capture_output=True, text=True, timeout=30
    )
    state = json.loads(done.stdout)
    assert state["link/lo/mtu"] == "65536"
    assert state["sysctl/net.ipv4.ip_forward"] in ("0", "1")
    assert all(isinstance(value, str) for value in state.values())


@pytest.mark.parametrize("command", ["no-such-tool list", "ip no-such-object"])
def test_what_could_not_be_read_is_said(command: str) -> None:
    reader = Reader("part", command, lambda _: {"never": "called"})
    ((path, reason),) = _finish(reader, _start(command)).items()
    assert path.startswith(f"missing/{command.split(maxsplit=1)[0]}")
    assert reason


def test_output_that_is_not_understood_is_said() -> None:
    reader = Reader("part", "ip -Version", json.loads)
    ((path, reason),) = _finish(reader, _start("ip -Version")).items()
    assert path == "missing/ip for part"
    assert "not understood" in reason


def test_differences_are_told_apart_and_ignored_by_pattern() -> None:
    before = {"link/a/mtu": "1500", "link/b/mtu": "1500", "sysctl/x": "1"}
    after = {"link/a/mtu": "1400", "link/c/mtu": "1500", "sysctl/x": "2"}
    found = diff_states(before, after, ignore=[r"^sysctl/"])
    assert found == [
        Difference(path="link/a/mtu", before="1500", after="1400"),
        Difference(path="link/b/mtu", before="1500", after=None),
        Difference(path="link/c/mtu", before=None, after="1500"),
    ]
    assert [str(each).split(":")[0] for each in found] == ["changed", "missing", "left behind"]


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ("sysctl/net.netfilter.nf_log.7", "NONE", "nf_log_bridge", True),
        ("sysctl/net.netfilter.nf_log.7", "NONE", "nfnetlink_log", False),
        ("sysctl/net.netfilter.nf_log.7", "nf_log_bridge", "NONE", False),
        ("sysctl/net.netfilter.nf_conntrack_tcp_loose", None, "1", True),
        ("sysctl/net.netfilter.nf_conntrack_tcp_loose", "1", "0", False),
        ("sysctl/net.ipv4.ip_forward", "0", "1", False),
        ("sysctl/net.ipv4.conf.vx.rp_filter", None, "1", False),
        ("sysctl/net.ipv4.conf.tunl0.rp_filter", None, "1", True),
        ("sysctl/net.ipv4.conf.tunl0.rp_filter", "1", "2", False),
        ("link/tunl0/mtu", None, "1480", True),
        ("link/tunl0/flags", None, "NOARP", True),
        ("link/tunl0/flags", None, "NOARP UP", False),
        ("link/tunl0/master", None, "br0", False),
        ("link/tunl0/master", None, "", True),
        ("link/tunl1/mtu", None, "1480", False),
        ("address/tunl0/10.0.0.1/32", None, "", False),
        ("iptables/IPv4/nat/:PREROUTING ACCEPT", None, "", True),
        ("iptables/IPv4/nat/:LEFT - ", None, "", False),
        ("iptables/IPv4/nat/:PREROUTING ACCEPT", "", None, False),
    ],
)
def test_what_a_module_brings_to_every_namespace_is_the_kernels(
    path: str,
    before: str | None,
    after: str | None,
    expected: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert is_made_by_kernel(path, before, after) is expected


def test_equal_paths_are_counted_and_not_merged() -> None:
    state: dict[str, str] = {}
    for value in "abc":
        put(state, "rule/IPv4/5", value)
    assert state == {"rule/IPv4/5": "a", "rule/IPv4/5 #2": "b", "rule/IPv4/5 #3": "c"}


def test_keys_of_security_associations_are_never_shown() -> None:
    listed = (
        "src 192.0.2.1 dst 192.0.2.2\n"
        "\tproto esp spi 0xc0ffee00 reqid 1 mode tunnel\n"
        "\treplay-window 32 flag af-unspec\n"
        "\tauth-trunc hmac(sha256) 0x1111 128\n"
        "\tenc cbc(aes) 0x2222\n"
        "\tlifetime current:\n"
        "src 192.0.2.2 dst 192.0.2.1\n"
        "\tproto esp spi 0x1 reqid 1 mode tunnel\n"
    )
    state = filters.transforms(listed, "state")
    assert len(state) == 2
    assert "0x1111" not in str(state)
    assert "0x2222" not in str(state)
    assert "enc (secret)" in str(state)


def test_saved_iptables_rules_lose_their_counters() -> None:
    saved = "# by iptables-save\n*nat\n:POSTROUTING ACCEPT [5:300]\n[9:700] -A POSTROUTING -j MASQUERADE\nCOMMIT\n"
    assert list(filters.iptables(saved, "IPv4")) == [
        "iptables/IPv4/nat/:POSTROUTING ACCEPT",
        "iptables/IPv4/nat/ -A POSTROUTING -j MASQUERADE",
    ]


def test_elements_that_packets_add_to_a_set_are_no_leftovers() -> None:
    body = {"family": "ip", "table": "t", "name": "s", "type": "ipv4_addr", "handle": 3, "elem": ["10.0.0.1"]}
    assert len(filters.nftables([{"set": body}])) == 2
    assert list(filters.nftables([{"set": {**body, "flags": ["dynamic", "timeout"]}}])) == ["nft/set ip t s"]


def test_a_device_that_follows_its_carrier_has_not_changed() -> None:
    up = {"ifname": "a", "mtu": 1500, "flags": ["UP", "LOWER_UP", "BROADCAST"], "link_type": "ether"}
    down = {**up, "flags": ["NO-CARRIER", "BROADCAST", "UP"]}
    assert iproute.links([up]) == iproute.links([down])


def test_sysctls_of_devices_with_dots_have_one_spelling(tmp_path: Path) -> None:
    directory = tmp_path / "net" / "ipv4" / "conf" / "eth0.5"
    directory.mkdir(parents=True)
    (directory / "rp_filter").write_text("2\n")
    (directory / "read_only").write_text("1\n")
    (directory / "read_only").chmod(0o444)
    (directory / "stable_secret").write_text("x")
    assert files.sysctls(tmp_path / "net") == {"sysctl/net.ipv4.conf.eth0/5.rp_filter": "2"}


def test_files_are_named_by_kind_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "cni").mkdir()
    (tmp_path / "cni" / "10-left.conf").write_text("secret")
    (tmp_path / "link").symlink_to("nowhere")
    assert files.names((tmp_path, tmp_path / "absent")) == {
        f"file{tmp_path}/cni": "directory",
        f"file{tmp_path}/cni/10-left.conf": "file",
        f"file{tmp_path}/link": "link",
    }
