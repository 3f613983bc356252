"""What may be said of a capture, and when it shows nothing."""

from __future__ import annotations

from ipaddress import ip_address
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from l3conf.errors import LabError
from l3conf.expectations.secrecy import Marks, judge
from l3conf.plugin.cables import links_that_came, tunnel_kinds

if TYPE_CHECKING:
    from l3conf.expectations.flow import Flow
    from l3conf.tests.suite.conftest import Stage

CLEAR_NONCE, SECRET_NONCE = b"\x01" * 8, b"\x02" * 8


def marks(nonce: bytes, here: str, there: str) -> Marks:
    one, other = ip_address(here).packed, ip_address(there).packed
    return Marks(cast("Flow", SimpleNamespace(name=here)), nonce, (one + other, other + one))


CLEAR = marks(CLEAR_NONCE, "192.0.2.3", "10.1.0.3")
SECRET = marks(SECRET_NONCE, "10.1.0.3", "10.2.0.3")
HEARD = b"ether" + CLEAR.headers[0] + CLEAR_NONCE
TUNNEL = b"ether" + b"\x99" * 40


def test_a_search_that_finds_the_clear_packets_and_none_of_the_others_proves_secrecy() -> None:
    judge([HEARD, TUNNEL], [SECRET], [CLEAR], must_cross=True)


@pytest.mark.parametrize(
    ("shown", "words"),
    [(SECRET_NONCE, "payload in clear"), (SECRET.headers[1], "inner addresses in clear")],
)
def test_what_is_readable_is_named(shown: bytes, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        judge([HEARD, b"ether" + shown], [SECRET], [CLEAR], must_cross=True)


@pytest.mark.parametrize(
    ("captured", "clear"),
    [
        ([TUNNEL], [CLEAR]),
        ([b"ether" + CLEAR_NONCE, TUNNEL], [CLEAR]),
        ([b"ether" + CLEAR.headers[0], TUNNEL], [CLEAR]),
        ([HEARD, TUNNEL], []),
    ],
    ids=["deaf", "headers not found", "payload not found", "no control"],
)
def test_a_search_that_does_not_find_clear_packets_is_an_error(captured: list[bytes], clear: list[Marks]) -> None:
    with pytest.raises(LabError, match="does not show what is sent in clear"):
        judge(captured, [SECRET], clear, must_cross=True)


def test_a_wire_that_nothing_crossed_is_the_wrong_one_unless_nothing_had_to() -> None:
    with pytest.raises(LabError, match="no packet between the sites"):
        judge([HEARD], [SECRET], [CLEAR], must_cross=True)
    judge([HEARD], [SECRET], [CLEAR], must_cross=False)


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
