"""A stream drawn as SVG: a row a flow, what was lost in it, and the notes of the run under them. Pure.

XML by the standard library: a picture of rectangles and words needs no drawing library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, LABELS, ROW, MARGIN = 1000, 300, 18, 30
"""Pixels; ``LABELS`` is the room for names on the left."""
_SEEN, _LOST = "#2e7d32", "#c62828"
_LONGEST_NAME = 44
_THINNEST = 1.5


@dataclass(frozen=True, slots=True)
class Row:
    """One flow, in seconds since the stream began."""

    name: str
    begins: float
    ends: float
    gaps: tuple[tuple[float, float], ...]
    """Begin and length of each."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, in seconds since the stream began."""

    at: float
    text: str


def draw(rows: Sequence[Row], moments: Sequence[Moment]) -> str:
    """Return an SVG document."""
    span = max((row.ends for row in rows), default=0.0) or 1.0
    scale = (WIDTH - LABELS - MARGIN) / span
    shown = [moment for moment in moments if 0 <= moment.at <= span]
    height = MARGIN * 2 + ROW * (len(rows) + len(shown) + 1)
    size = {"width": str(WIDTH), "height": str(height), "viewBox": f"0 0 {WIDTH} {height}"}
    root = ET.Element(
        "svg", {"xmlns": "http://www.w3.org/2000/svg", "font-family": "monospace", "font-size": "11", **size}
    )
    _box(root, 0, 0, WIDTH, height, "#ffffff", "")
    for number, row in enumerate(rows):
        y = MARGIN + ROW * number
        _words(root, 4, y + ROW * 0.7, row.name[:_LONGEST_NAME])
        _box(root, LABELS + row.begins * scale, y + 3, (row.ends - row.begins) * scale, ROW - 6, _SEEN, row.name)
        for begins, seconds in row.gaps:
            said = f"{seconds:.3f} s lost from {begins:.3f} s"
            _box(root, LABELS + begins * scale, y + 1, max(seconds * scale, _THINNEST), ROW - 2, _LOST, said)
    foot = MARGIN + ROW * len(rows)
    for number, moment in enumerate(shown):
        x, y = LABELS + moment.at * scale, foot + ROW * (number + 1)
        line = {"x1": f"{x:.1f}", "x2": f"{x:.1f}", "y1": str(MARGIN), "y2": f"{y:.1f}"}
        ET.SubElement(root, "line", {**line, "stroke": "#555555", "stroke-dasharray": "3 3"})
        _words(root, 4, y, f"{moment.at:8.3f} s  {moment.text}")
    _words(root, LABELS, MARGIN - 10, f"0 s … {span:.1f} s")
    return ET.tostring(root, encoding="unicode") + "\n"


def _box(root: ET.Element, x: float, y: float, width: float, height: float, colour: str, title: str) -> None:
    values = {"x": x, "y": y, "width": width, "height": height}
    box = ET.SubElement(root, "rect", {**{name: f"{value:.1f}" for name, value in values.items()}, "fill": colour})
    if title:
        ET.SubElement(box, "title").text = title


def _words(root: ET.Element, x: float, y: float, text: str) -> None:
    ET.SubElement(root, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}"}).text = text
