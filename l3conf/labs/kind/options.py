"""The options of ``--on kind``: the same words for pytest and for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from l3conf.labs.existing.options import PROBE_IMAGE_OPTION
from l3conf.labs.kind.settings import KNOWN_PLUGINS, KindSettings
from l3conf.labs.option_tables import Option, Takes, chosen, declare_to_click, declare_to_pytest, read_from_pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    F = TypeVar("F", bound=Callable[..., Any])

_ABOUT = "on kind"
_OPTIONS = (
    Option("cni", "NAME", f"network plugin: {', '.join(KNOWN_PLUGINS)} (default: kindnet)", Takes.TEXT),
    Option(
        "cni-manifest",
        "FILE-OR-URL",
        "what installs a plugin other than kindnet; in order",
        Takes.SEVERAL,
        "cni_manifests",
    ),
    Option("node-image", "IMAGE", "image of nodes (default: the kind CLI's own)", Takes.TEXT),
    Option("router-image", "IMAGE", "image of routers (default: that of nodes)", Takes.TEXT),
    Option("load-image", "IMAGE", "image of this engine that nodes are given", Takes.SEVERAL, "load_images"),
    Option("keep-clusters", "", "leave the clusters for the next run with the same topology", Takes.NOTHING),
)


def add_kind_options(group: pytest.OptionGroup) -> None:
    """Declare the options to pytest, but for that of the probe image, which is not kind's alone."""
    declare_to_pytest(group, _OPTIONS, _ABOUT)


def read_kind_settings(config: pytest.Config) -> KindSettings:
    """Return what pytest was given."""
    return kind_settings(**read_from_pytest(config, (*_OPTIONS, PROBE_IMAGE_OPTION)))


def kind_options(command: F) -> F:
    """Declare the options to click; the command is given them by name, for ``kind_settings``."""
    return declare_to_click(command, _OPTIONS, _ABOUT)


def kind_settings(**given: Any) -> KindSettings:  # noqa: ANN401 - options of several types
    """Return options as settings; what was not given stays at its default."""
    return KindSettings(**chosen(given, (*_OPTIONS, PROBE_IMAGE_OPTION)))
