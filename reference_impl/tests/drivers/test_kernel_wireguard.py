"""The kernel's WireGuard in its own words: messages as pyroute2 encodes and decodes them, without a kernel."""

from __future__ import annotations

import base64
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic.wireguard import AsyncWireGuard, wgmsg

from reference_impl.drivers import wireguard
from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.wireguard import KernelControl, device_state
from reference_impl.protocols.wireguard_uapi import PeerState
from reference_impl.state import WireGuardPeer


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


PEER = WireGuardPeer(
    device="wg",
    public_key=key(2),
    allowed=frozenset([ip_network("10.2.0.0/16"), ip_network("fd00::/64")]),
    endpoint=(ip_address("192.0.2.1"), 4500),
    keepalive=10,
)


class Recorder:
    """Stands for the netlink socket: keeps what it was asked, or refuses."""

    asked: tuple[dict[str, Any], ...] = ()
    refusal: Exception | None = None

    def set(self, _device: str, **request: Any) -> None:  # noqa: ANN401 - as pyroute2 has it
        if self.refusal is not None:
            raise self.refusal
        self.asked = (*self.asked, request)

    def close(self) -> None:
        pass


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    socket = Recorder()
    monkeypatch.setattr(wireguard, "WireGuard", lambda: socket)
    return socket


def message(peer: dict[str, Any], handshake: int = 0) -> Any:  # noqa: ANN401 - as pyroute2 has it
    """Return the message that a request for a peer makes, read back as one that a kernel sent."""
    request = wgmsg()
    request["attrs"] += [["WGDEVICE_A_PRIVATE_KEY", key(1)], ["WGDEVICE_A_LISTEN_PORT", 4500]]
    encoder = AsyncWireGuard.__new__(AsyncWireGuard)
    encoder._wg_set_peer(request, peer)
    times = {"tv_sec": handshake, "tv_nsec": 0}
    request["attrs"][-1][1][0]["attrs"].append(["WGPEER_A_LAST_HANDSHAKE_TIME", times])
    request.encode()
    answer = wgmsg(bytes(request.data))
    answer.decode()
    return answer


def test_a_peer_that_was_set_is_read_back(recorder: Recorder) -> None:
    KernelControl("wg").set_peer(PEER)
    state = device_state([message(recorder.asked[0]["peer"], handshake=77)])
    assert (state.private_key, state.port) == (bytes([1]) * 32, 4500)
    assert state.peers == (
        PeerState(
            public_key=PEER.public_key,
            allowed=PEER.allowed,
            endpoint=PEER.endpoint,
            keepalive=10,
            handshake=77,
        ),
    )


def test_a_peer_that_comes_in_two_messages_is_one(recorder: Recorder) -> None:
    KernelControl("wg").set_peer(PEER)
    first = recorder.asked[0]["peer"]
    second = {"public_key": key(2), "allowed_ips": ["10.9.0.0/16"]}
    (peer,) = device_state([message(first), message(second)]).peers
    assert peer.allowed == PEER.allowed | {ip_network("10.9.0.0/16")}
    assert peer.endpoint == PEER.endpoint


def test_a_learnt_endpoint_is_left_out_of_a_request(recorder: Recorder) -> None:
    KernelControl("wg").set_peer(
        WireGuardPeer(device="wg", public_key=key(2), allowed=frozenset(), endpoint=None, keepalive=0)
    )
    assert not [name for name in recorder.asked[0]["peer"] if name.startswith("endpoint")]


def test_a_refusal_says_why_and_nothing_of_the_key(recorder: Recorder) -> None:
    recorder.refusal = NetlinkError(22, key(1))
    with pytest.raises(KernelError, match="Invalid argument") as caught:
        KernelControl("wg").configure(bytes([1]) * 32, 4500)
    assert key(1) not in str(caught.value)
