"""``python -m reference_impl show``: what one member says of its connections."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.names import MEMBER_NAMESPACE
from reference_impl.planner.overview import is_well, overview, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_impl.drivers.api import API, Object


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl show",
        description="Show a member's connections. Exit code 1 if one of them is not connected.",
    )
    add_cluster_options(parser)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    return parser.parse_args(arguments)


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Let a command line say which cluster it is about."""
    default = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    parser.add_argument("--kubeconfig", type=Path, default=default, help="default: $KUBECONFIG, ~/.kube/config")
    parser.add_argument("--context", default="", help="default: the current one")


async def show(api: API, *, as_json: bool) -> tuple[str, bool]:
    """Return the text to print, and whether all is well. ``APIError`` if the API cannot be read."""
    shown = overview(await _all(api, Resource.GATEWAY), await _all(api, Resource.ROUTE_AGENT), time.time())
    return (json.dumps(shown, indent=2) + "\n" if as_json else table(shown)), is_well(shown)


async def _all(api: API, resource: Resource) -> list[Object]:
    """Return a member's objects; none where the kind does not exist."""
    try:
        return (await api.list(resource, MEMBER_NAMESPACE))[0]
    except NotFoundError:
        return []
