"""Which links came with an implementation, and who made its tunnels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError
from l3conf.plugin.cables import links_that_came, tunnel_kinds

if TYPE_CHECKING:
    from l3conf.tests.suite.conftest import Stage


def test_links_that_came_are_those_of_tunnels_not_of_pods() -> None:
    before = {"east@a": {"link/eth0/kind": "veth", "link/lo/kind": "loopback"}}
    now = {"east@a": {**before["east@a"], "link/veth1/kind": "veth", "link/wg0/kind": "wireguard", "link/wg0/mtu": "1"}}
    assert links_that_came(before, now) == {"east@a": ["wg0"]}


SHOWN = """[{"ifname": "lo"}, {"ifname": "eth0", "linkinfo": {"info_kind": "veth"}},
 {"ifname": "veth1", "linkinfo": {"info_kind": "veth"}}, {"ifname": "wg0", "linkinfo": {"info_kind": "wireguard"}},
 {"ifname": "tun0", "linkinfo": {"info_kind": "tun", "info_data": {"type": "tun"}}}]"""


def test_a_report_says_whether_kernel_or_process_made_a_tunnel(stage: Stage) -> None:
    lab = stage.lab
    lab.commands["ip", "-json", "-details", "link", "show"] = (0, SHOWN, "")
    before = {"link/lo/kind": "", "link/eth0/kind": "veth"}
    assert tunnel_kinds(lab, "east@a", before) == {"tun0": "tun", "wg0": "wireguard"}
    lab.commands["ip", "-json", "-details", "link", "show"] = (1, "", "no such device")
    with pytest.raises(LabError, match="no such device"):
        tunnel_kinds(lab, "east@a", before)
