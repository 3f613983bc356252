"""Which specification, and which edition of l3conf."""

from __future__ import annotations

SPEC_VERSION = "v1alpha1"
"""Version of the requirements, budgets and CRDs; part of every report and badge."""


def software_version() -> str:
    """Return the version of the installed package; ``0+source`` where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 15 ms, rarely needed

    try:
        return version("l3conf")
    except PackageNotFoundError:
        return "0+source"
