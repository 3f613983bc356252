"""Pages of metrics are read as Prometheus reads them, and counters are judged from both sides."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.capture.packets import UDP, Packet
from l3conf.plugin.metrics import COUNTERS, SENT, Carried, Page, carried, decreased, overcounted, read, uncounted

LABELS = 'cable_driver="vxlan",remote_cluster="west"'


def page(**values: float) -> Page:
    return read("".join(f"{name}{{{LABELS}}} {value}\n" for name, value in values.items()))


def counted(octets: float, packets: float) -> Page:
    return page(submariner_gateway_tx_bytes=octets, submariner_gateway_tx_packets=packets)


def test_comments_and_empty_lines_are_no_samples() -> None:
    assert read("# HELP a b\n# TYPE a gauge\n\n").samples == ()


def test_a_sample_has_a_name_labels_a_value_and_perhaps_a_time() -> None:
    (one, two) = read('a{b="c",} 1.5e3 1395066363000\nplain 2\n').samples
    assert (one.name, dict(one.labels), one.value) == ("a", {"b": "c"}, 1500.0)
    assert (two.name, dict(two.labels), two.value) == ("plain", {}, 2.0)


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")) | st.sampled_from('\\"\n')))
def test_a_label_reads_as_it_was_meant(text: str) -> None:
    written = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    (sample,) = read(f'a{{b="{written}"}} 1').samples
    assert sample.labels == {"b": text}


@pytest.mark.parametrize("line", ["<html>", "a{b=c} 1", "a b", "a{", 'a{b="c"} one'])
def test_what_is_no_sample_is_a_finding(line: str) -> None:
    with pytest.raises(AssertionError, match="no sample"):
        read(line)


def test_a_peer_with_two_series_is_connected_when_both_are() -> None:
    text = 'submariner_connections{{remote_cluster="west",status="connected",ip_version="{}"}} {}\n'
    up, down = text.format(4, 1), text.format(6, 0)
    assert read(up).is_connected("west") is True
    assert read(up + down).is_connected("west") is False
    assert read(up).is_connected("north") is None


def test_what_is_not_published_is_named() -> None:
    assert page().missing("west")
    assert set(page(**dict.fromkeys(COUNTERS, 1.0)).missing("west")) == {
        "submariner_connections",
        "submariner_connection_latency_seconds",
    }


def test_counters_are_bounded_by_probes_and_by_everything() -> None:
    limits = Carried(least=(1000.0, 10.0), most=(1500.0, 12.0))
    first = counted(500, 5)
    assert uncounted(first, counted(1500, 15), "west", SENT, limits) == []
    assert overcounted(first, counted(2000, 17), "west", SENT, limits) == []
    assert len(uncounted(first, counted(1499, 14), "west", SENT, limits)) == len(SENT)
    assert len(overcounted(first, counted(2001, 18), "west", SENT, limits)) == len(SENT)
    assert len(uncounted(page(), page(), "west", SENT, limits)) == len(SENT)


def test_a_counter_that_goes_down_is_named() -> None:
    assert decreased([counted(1, 1), counted(2, 1)], "west") == []
    (line,) = decreased([counted(1, 1), counted(2, 2), counted(3, 1)], "west")
    assert "submariner_gateway_tx_packets of west went from 2 to 1" in line


def test_probes_are_told_from_what_else_passes_by_their_size() -> None:
    found = carried([_packet(1100), _packet(1100), _packet(150)], 1028)
    assert found.least == (2 * 1028.0, 2.0)
    assert found.most[0] >= 1100 + 1100 + 150
    assert found.most[1] >= len((1100, 1100, 150))


def _packet(size: int) -> Packet:
    address = ip_address("192.0.2.1")
    return Packet(
        time=0.0,
        source=address,
        destination=address,
        protocol=UDP,
        traffic_class=0,
        payload=b"",
        data=b"\x45" + bytes(size - 1),
    )
