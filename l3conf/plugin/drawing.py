"""Timelines drawn by Matplotlib, as SVG and as PNG. Imported only where something is drawn: that costs a second."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from l3conf.expectations.timeline import Moment, Row, Timeline

FORMATS = "svg", "png"
_WIDTH, _LINE, _FRAME = 13.0, 0.23, 1.1
"""Inches: of a drawing, of a row or moment, of title and axis."""
_DPI = 110
_CONTROL, _SEEN, _LOST, _MOMENT = "#a5d6a7", "#2e7d32", "#c62828", "#455a64"
_LONGEST_NAME, _LONGEST_TEXT = 48, 110
_MOST_MOMENTS = 60
_NARROWEST = 0.002
"""Share of the whole time that a gap takes at least: one packet of 200 Hz in a minute would not be seen."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # words stay words: they can be searched for and copied
    "svg.hashsalt": "l3conf",  # the same timeline gives the same file
    "font.size": 8,
}


def draw(timeline: Timeline, form: str) -> bytes:
    """Return a timeline as a file of one of ``FORMATS``: flows, and under them in the same scale what happened."""
    ends = max((row.ends for row in timeline.rows), default=0.0) or 1.0
    moments = [moment for moment in timeline.moments if 0 <= moment.at <= ends]
    shown = moments[:_MOST_MOMENTS]
    with mpl.rc_context(_STYLE):
        lines = (len(timeline.rows) + 1, len(shown) + 1)
        figure = Figure(figsize=(_WIDTH, _LINE * sum(lines) + _FRAME), layout="constrained", dpi=_DPI)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=lines)
        _draw_rows(above, timeline.rows, ends)
        _draw_moments(below, shown, ends)
        for each in moments:
            above.axvline(each.at, color=_MOMENT, linewidth=0.6, linestyle=(0, (2, 2)))
        left_out = f", {len(moments) - len(shown)} more moments left out" if len(moments) > len(shown) else ""
        below.set_xlabel(f"seconds since the stream began{left_out}")
        below.set_xlim(0, ends)
        file = io.BytesIO()
        figure.savefig(file, format=form, metadata={"Date": None} if form == "svg" else None)
    return file.getvalue()


def _draw_rows(axes: Axes, rows: Sequence[Row], ends: float) -> None:
    for number, row in enumerate(rows):
        axes.barh(number, row.controlled - row.begins, left=row.begins, height=0.55, color=_CONTROL)
        axes.barh(number, row.ends - row.controlled, left=row.controlled, height=0.55, color=_SEEN)
        gaps = [(begins, max(seconds, _NARROWEST * ends)) for begins, seconds in row.gaps]
        axes.broken_barh(gaps, (number - 0.45, 0.9), color=_LOST)
        if row.gaps:
            begins, seconds = max(row.gaps, key=lambda gap: gap[1])
            _say(axes, begins + seconds, number, f"{seconds:.3f} s", ends, "#ffffff" if begins < ends else _LOST)
    names = [row.name if len(row.name) <= _LONGEST_NAME else f"{row.name[:_LONGEST_NAME]}…" for row in rows]
    axes.set_yticks(range(len(rows)), names, parse_math=False)
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    lossy = sum(bool(row.gaps) for row in rows)
    axes.set_title(f"{len(rows)} flows, {lossy} of which lost packets (red); control window pale", loc="left")
    _unframe(axes)


def _draw_moments(axes: Axes, moments: Sequence[Moment], ends: float) -> None:
    for number, moment in enumerate(moments):
        axes.plot([moment.at], [number], marker="o", markersize=3, color=_MOMENT)
        axes.plot([moment.at, moment.at], [-0.8, number], color=_MOMENT, linewidth=0.6, linestyle=(0, (2, 2)))
        text = moment.text if len(moment.text) <= _LONGEST_TEXT else f"{moment.text[:_LONGEST_TEXT]}…"
        _say(axes, moment.at, number, text, ends, "#000000", {"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axes.set_yticks(range(len(moments)), [f"{moment.at:.3f} s" for moment in moments])
    axes.set_ylim(max(len(moments), 1) - 0.4, -0.8)
    _unframe(axes)


def _say(
    axes: Axes, x: float, y: float, text: str, ends: float, colour: str, box: dict[str, object] | None = None
) -> None:
    """Write beside a point, on the side that has more room."""
    right = x <= ends / 2
    axes.annotate(
        text,
        (x, y),
        xytext=(5 if right else -5, 0),
        textcoords="offset points",
        horizontalalignment="left" if right else "right",
        verticalalignment="center",
        color=colour,
        bbox=box,
        parse_math=False,
    )


def _unframe(axes: Axes) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
