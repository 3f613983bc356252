"""The options of ``--on existing``: the same words for pytest and for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from l3conf.labs.existing.settings import PROBE_IMAGE, ExistingSettings
from l3conf.labs.option_tables import Option, Takes, chosen, declare_to_click, declare_to_pytest, read_from_pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    F = TypeVar("F", bound=Callable[..., Any])

_ABOUT = "on existing"
PROBE_IMAGE_OPTION = Option("probe-image", "IMAGE", f"image of probe pods (default: {PROBE_IMAGE})", Takes.TEXT)
"""Of every lab whose pods are containers."""
_OPTIONS = (
    Option("contexts", "CONTEXT,…", "contexts of the clusters, or NAME=CONTEXT; two at least", Takes.SEVERAL),
    Option("pod-cidrs", "NAME=CIDR,…", "range of a cluster's pods, where it is not found", Takes.SEVERAL),
    Option("service-cidrs", "NAME=CIDR,…", "range of a cluster's Services, where it is not found", Takes.SEVERAL),
    Option("broker-context", "CONTEXT", "context of the broker (default: the first of --contexts)", Takes.TEXT),
    Option(
        "broker-server", "URL", "where members' pods reach the broker (default: as its kubeconfig says)", Takes.TEXT
    ),
    Option("kubeconfig", "FILE", "kubeconfig with the contexts (default: as kubectl)", Takes.FILE),
    Option(
        "hook-kubeconfig",
        "FILE",
        "kubeconfig with the same contexts for hooks, which need rights of their own",
        Takes.FILE,
    ),
    Option("host-network", "", "probe from nodes' own networks, too: pods with hostNetwork", Takes.NOTHING),
    Option("installed", "", "the implementation stands already: call no hook", Takes.NOTHING),
)


def add_existing_options(group: pytest.OptionGroup) -> None:
    """Declare the options to pytest."""
    declare_to_pytest(group, _OPTIONS, _ABOUT)
    declare_to_pytest(group, (PROBE_IMAGE_OPTION,), "on existing and kind")


def read_settings(config: pytest.Config) -> ExistingSettings:
    """Return what pytest was given."""
    return settings(**read_from_pytest(config, (*_OPTIONS, PROBE_IMAGE_OPTION)))


def existing_options(command: F) -> F:
    """Declare the options to click; the command is given them by name, for ``settings``."""
    command = declare_to_click(command, (PROBE_IMAGE_OPTION,), "on existing and kind")
    return declare_to_click(command, _OPTIONS, _ABOUT)


def settings(**given: Any) -> ExistingSettings:  # noqa: ANN401 - options of several types
    """Return options as settings; what was not given stays at its default."""
    return ExistingSettings(**chosen(given, (*_OPTIONS, PROBE_IMAGE_OPTION)))
