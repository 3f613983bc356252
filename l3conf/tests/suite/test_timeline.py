"""What a drawn stream shows."""

from __future__ import annotations

import io
from xml.etree import ElementTree as ET

import numpy as np
from matplotlib.image import imread

from l3conf.expectations.timeline import Moment, Row, Timeline
from l3conf.plugin.drawing import draw

SVG = "{http://www.w3.org/2000/svg}"
ROWS = (Row("a -> b", 0.0, 1.0, 10.0, ((4.0, 1.0),)), Row("<b> & $c$", 0.0, 1.0, 10.0, ()))
RED = (0xC6 / 255, 0x28 / 255, 0x28 / 255)
GREEN = (0x2E / 255, 0x7D / 255, 0x32 / 255)


def words(timeline: Timeline) -> list[str]:
    root = ET.fromstring(draw(timeline, "svg"))  # noqa: S314 - what was just drawn
    return ["".join(each.itertext()).strip() for each in root.iter(f"{SVG}text")]


def columns(timeline: Timeline, colour: tuple[float, float, float]) -> tuple[int, int]:
    """Return the first and last column of pixels that show a colour."""
    picture = imread(io.BytesIO(draw(timeline, "png")))[:, :, :3]
    found = np.flatnonzero((np.abs(picture - colour) < 0.01).all(axis=2).any(axis=0))
    return int(found[0]), int(found[-1])


def test_a_gap_is_drawn_where_and_as_long_as_it_was() -> None:
    timeline = Timeline(ROWS, ())
    (begin, end), (first, last) = columns(timeline, GREEN), columns(timeline, RED)
    scale = (end - begin) / 9.0  # what follows the control window of a second
    assert abs((first - begin) / scale - 3.0) < 0.05
    assert abs((last - first) / scale - 1.0) < 0.05
    assert "1.000 s" in words(timeline)


def test_one_lost_packet_is_seen() -> None:
    first, last = columns(Timeline((Row("a", 0.0, 1.0, 600.0, ((300.0, 0.005),)),), ()), RED)
    assert last - first >= 1


def test_what_happened_meanwhile_stands_under_it_and_the_rest_does_not() -> None:
    texts = words(Timeline(ROWS, (Moment(5.0, "cut $x$ and $y$"), Moment(-3.0, "before"))))
    assert "cut $x$ and $y$" in texts
    assert "before" not in texts
    assert "<b> & $c$" in texts, "names are words, neither markup nor formulas"


def test_a_stream_without_flows_is_a_picture_too() -> None:
    assert draw(Timeline((), ()), "png").startswith(b"\x89PNG")


def test_the_same_timeline_gives_the_same_file() -> None:
    assert draw(Timeline(ROWS, ()), "svg") == draw(Timeline(ROWS, ()), "svg")
