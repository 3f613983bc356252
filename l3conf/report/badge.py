"""The badge: what was proved, in one line and one colour.

Green only for CONFORMANT on real clusters; blue for CONFORMANT on a lab of namespaces; red for NON-CONFORMANT; grey for
everything else. Made from verified reports only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anybadge

from l3conf.verdict import Overall

if TYPE_CHECKING:
    from l3conf.report.build import Report

REAL_LABS = frozenset({"kind", "existing"})
"""Labs whose nodes run container runtimes and network plugins that we did not write."""

_COLOURS = {"green": "#2da44e", "blue": "#0969da", "red": "#cf222e", "lightgrey": "#6e7781"}
"""shields.io names, and the same for the drawing."""


def label(report: Report) -> str:
    """Return the left side: the specification."""
    return f"L3 {report['run']['specVersion']}"


def message(report: Report) -> str:
    """Return the right side: what was proved, and where."""
    core = report["verdict"]["core"]
    return f"core {core['passed']}/{core['mandatory']} · {report['run']['lab']}"


def colour(report: Report) -> str:
    """Return the colour's name."""
    overall = Overall(report["verdict"]["overall"])
    if overall is Overall.NON_CONFORMANT:
        return "red"
    if overall is Overall.INCOMPLETE:
        return "lightgrey"
    return "green" if report["run"]["lab"] in REAL_LABS else "blue"


def badge_json(report: Report) -> str:
    """Return ``badge.json``: an endpoint of shields.io (schemaVersion 1)."""
    content = {"schemaVersion": 1, "label": label(report), "message": message(report), "color": colour(report)}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def badge_svg(report: Report) -> str:
    """Return ``badge.svg``."""
    badge = anybadge.Badge(label=label(report), value=message(report), default_color=_COLOURS[colour(report)])
    # anybadge numbers its masks; the same report must give the same file.
    badge.mask_str = "l3conf"
    drawn: str = badge.badge_svg_text
    return drawn if drawn.endswith("\n") else f"{drawn}\n"
