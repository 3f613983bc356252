"""A capture may say "not seen" only after it has shown to see."""

from __future__ import annotations

import io
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.capture.packets import packet_of
from l3conf.capture.pcap import Frame, read_pcap
from l3conf.errors import LabError
from l3conf.expectations import every, udp
from l3conf.expectations.filters import Filter, addresses_of, carrying, payload_of, without_checksum
from l3conf.expectations.places import Stranger
from l3conf.expectations.wan import Wan
from l3conf.labs.fake import Wrong
from l3conf.model.strangers import unowned_addresses
from l3conf.model.topology import IPFamily
from l3conf.probes.packets import udp_packet

if TYPE_CHECKING:
    from l3conf.observation import Observation
    from l3conf.tests.suite.conftest import Stage

V4 = IPFamily.IPV4


def wan_of(stage: Stage) -> Wan:
    return Wan(stage.harness, stage.outsider)


def across(stage: Stage) -> list[Observation]:
    return every(udp(client, server) for client, server in stage.pods.across_clusters(V4)).arrives()


def test_what_is_encrypted_is_not_seen(stage: Stage) -> None:
    client, server = stage.pods.one_in_each("east", "west")
    with wan_of(stage).capturing() as wan:
        wan.must_not_show(*map(payload_of, across(stage)), addresses_of(client, server, V4))


def test_what_is_readable_is_seen_and_named(stage: Stage) -> None:
    client, server = stage.pods.one_in_each("east", "west")
    with wan_of(stage).capturing() as wan, stage.lab.wrong(Wrong.READABLE):
        seen = across(stage)
        with pytest.raises(AssertionError, match=r"the udp payload from east/.*: in 172.* -> 172.* udp ports 4500"):
            wan.must_not_show(*map(payload_of, seen))
        with pytest.raises(AssertionError, match=f"a header from {client.address(V4)} to {server.address(V4)}"):
            wan.must_not_show(addresses_of(client, server, V4))
        assert len(wan.shows(payload_of(seen[0]))) == 1


def test_what_passed_is_kept_of_a_capture_in_which_something_failed(stage: Stage) -> None:
    kept: dict[str, Any] = {}
    stage.harness.keep = kept.__setitem__
    with wan_of(stage).capturing(), stage.lab.wrong(Wrong.READABLE):
        across(stage)
    assert not kept
    with pytest.raises(AssertionError), wan_of(stage).capturing() as wan, stage.lab.wrong(Wrong.READABLE):
        wan.must_not_show(*map(payload_of, seen := across(stage)))
    frames = [packet_of(frame) for frame in read_pcap(io.BytesIO(kept["wan.pcap"]))]
    assert any(packet is not None and payload_of(seen[0]).matches(packet) for packet in frames)


def test_a_blind_capture_proves_nothing(stage: Stage) -> None:
    with stage.lab.wrong(Wrong.BLIND), pytest.raises(LabError, match=r"the capture is blind.*a beacon"):
        wan_of(stage).capturing().__enter__()
    with wan_of(stage).capturing() as wan:
        seen = across(stage)
        with stage.lab.wrong(Wrong.BLIND), pytest.raises(LabError, match="the capture is blind"):
            wan.must_not_show(*map(payload_of, seen))


def test_a_filter_that_misses_its_own_sample_proves_nothing(stage: Stage) -> None:
    good = carrying(b"something long", "something")
    useless = Filter("nothing at all", lambda _packet: False, good.sample)
    with wan_of(stage).capturing() as wan:
        wan.must_not_show(good)
        with pytest.raises(LabError, match="not seen, though it was sent: nothing at all"):
            wan.must_not_show(good, useless)


def test_samples_of_the_harness_are_no_findings(stage: Stage) -> None:
    with wan_of(stage).capturing() as wan:
        for _ in range(3):
            wan.must_not_show(carrying(b"something long", "something"))
        assert wan.packets() == ()


def test_a_question_without_a_filter_or_with_one_that_chance_meets_is_an_error(stage: Stage) -> None:
    with wan_of(stage).capturing() as wan, pytest.raises(LabError, match="asked for nothing"):
        wan.must_not_show()
    with pytest.raises(ValueError, match="found by chance"):
        carrying(b"short", "short")


def test_what_must_be_seen_is_waited_for_and_missed(stage: Stage) -> None:
    with wan_of(stage).capturing() as wan, pytest.raises(AssertionError, match="something was not seen on the WAN"):
        wan.shows(carrying(b"something long", "something"))


def test_packets_are_told_apart_by_the_sites_they_are_between(stage: Stage) -> None:
    client, server = stage.pods.one_in_each("east", "west")
    with wan_of(stage).capturing() as wan:
        udp(client, server).arrives()
        udp(client, server).arrives()
        udp(server, client).arrives()
        assert (len(wan.between("east", "west")), len(wan.between("west", "east"))) == (2, 1)


def test_a_family_that_the_wan_lacks_is_an_error(stage: Stage) -> None:
    with wan_of(stage).capturing() as wan, pytest.raises(LabError, match=r"UDP over IPv6 .*the WAN has no"):
        wan.must_not_show(without_checksum())


def test_checksums_are_read_where_they_are() -> None:
    source, destination = ip_address("fd00::1"), ip_address("fd00::2")
    wanted = without_checksum(4500)
    for data, found in (
        (wanted.sample(source, destination, b"mark"), True),
        (udp_packet(source, destination, 9, b"mark", ttl=None), False),
        (udp_packet(source, destination, 4500, b"mark", ttl=None), False),
    ):
        frame = bytes(12) + b"\x86\xdd" + data
        packet = packet_of(Frame(0, frame, len(frame)))
        assert packet is not None
        assert wanted.matches(packet) is found


def test_what_nobody_owns_is_noticed_in_a_tunnel_by_its_size(stage: Stage) -> None:
    topology = stage.lab.topology
    addresses = unowned_addresses(topology, V4)
    members = every(udp(client, server) for client, server in stage.pods.across_clusters(V4))
    strangers = every(udp(pod, Stranger(addresses=(address,))) for pod in stage.pods.all for address in addresses[1:])
    with wan_of(stage).capturing() as wan:
        wan.keeps_out_of_tunnels(strangers, control=members)
        with (
            stage.lab.wrong(Wrong.GREEDY),
            pytest.raises(AssertionError, match=r"sent into a tunnel:\n.* east -> west"),
        ):
            wan.keeps_out_of_tunnels(strangers, control=members)
    with (
        wan_of(stage).capturing() as wan,
        stage.lab.wrong(Wrong.UNCAPTURED),
        pytest.raises(LabError, match="does not show what crosses east -> west"),
    ):
        wan.keeps_out_of_tunnels(strangers, control=members)


def test_strangers_are_beside_what_members_own_and_not_in_it(stage: Stage) -> None:
    topology = stage.lab.topology
    found = unowned_addresses(topology, V4)
    owned = [cidr for one in topology.clusters for cidr in (*one.pod_cidrs, *one.service_cidrs, *one.node_cidrs)]
    assert not [address for address in found if any(address in cidr for cidr in owned)]
    beside = [address for address in found if any(address in cidr.supernet() for cidr in owned)]
    assert len(beside) >= 2
    assert stage.outsider.address(V4) in found
