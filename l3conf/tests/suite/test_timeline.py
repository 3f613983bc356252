"""What a drawn stream shows."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from l3conf.expectations.timeline import LABELS, Moment, Row, draw

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [Row("a -> b", 0.0, 10.0, ((4.0, 1.0),)), Row("<b> & c", 0.0, 10.0, ())]


def parsed(*moments: Moment) -> ET.Element:
    return ET.fromstring(draw(ROWS, moments))  # noqa: S314 - what was just drawn


def test_a_gap_is_drawn_where_and_as_long_as_it_was() -> None:
    titles = {box.findtext(f"{SVG}title"): box for box in parsed().iter(f"{SVG}rect")}
    whole, gap = titles["a -> b"], titles["1.000 s lost from 4.000 s"]
    begin, length = (float(gap.get(name, "")) for name in ("x", "width"))
    width = float(whole.get("width", ""))
    assert abs((begin - LABELS) / width - 0.4) < 0.01
    assert abs(length / width - 0.1) < 0.01


def test_what_happened_meanwhile_stands_under_it_and_the_rest_does_not() -> None:
    texts = [each.text or "" for each in parsed(Moment(5.0, "cut"), Moment(-3.0, "before")).iter(f"{SVG}text")]
    assert any("cut" in text for text in texts)
    assert not any("before" in text for text in texts)
    assert "<b> & c" in texts, "names are words, not markup"


def test_a_stream_without_flows_is_a_picture_too() -> None:
    assert ET.fromstring(draw([], [])).tag == f"{SVG}svg"  # noqa: S314 - what was just drawn
