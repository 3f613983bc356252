"""The options of ``--on existing``: the same words for pytest and for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from l3conf.labs.existing.settings import PROBE_IMAGE, ExistingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    F = TypeVar("F", bound=Callable[..., Any])


class _Option(NamedTuple):
    name: str
    metavar: str
    help: str


_SEVERAL = (
    _Option("contexts", "CONTEXT,…", "contexts of the clusters, or NAME=CONTEXT; two at least"),
    _Option("pod-cidrs", "NAME=CIDR,…", "range of a cluster's pods, where it is not found"),
    _Option("service-cidrs", "NAME=CIDR,…", "range of a cluster's Services, where it is not found"),
)
_TEXTS = (
    _Option("broker-context", "CONTEXT", "context of the broker (default: the first of --contexts)"),
    _Option("broker-server", "URL", "where members' pods reach the broker (default: as its kubeconfig says)"),
)
_FILES = (
    _Option("kubeconfig", "FILE", "kubeconfig with the contexts (default: as kubectl)"),
    _Option("hook-kubeconfig", "FILE", "kubeconfig with the same contexts for hooks, which need rights of their own"),
)
_FLAGS = (
    _Option("host-network", "", "probe from nodes' own networks, too: pods with hostNetwork"),
    _Option("installed", "", "the implementation stands already: call no hook"),
)
_IMAGE = _Option("probe-image", "IMAGE", f"image of probe pods (default: {PROBE_IMAGE})")


def add_existing_options(group: pytest.OptionGroup) -> None:
    """Declare the options to pytest."""
    for option in _SEVERAL:
        group.addoption(f"--{option.name}", action="append", default=[], metavar=option.metavar, help=_marked(option))
    for option in (*_TEXTS, _IMAGE):
        group.addoption(f"--{option.name}", default="", metavar=option.metavar, help=_marked(option))
    for option in _FILES:
        group.addoption(f"--{option.name}", type=Path, metavar=option.metavar, help=_marked(option))
    for option in _FLAGS:
        group.addoption(f"--{option.name}", action="store_true", help=_marked(option))


def read_settings(config: pytest.Config) -> ExistingSettings:
    """Return what pytest was given."""
    return settings(**{_field(option): config.getoption(f"--{option.name}") for option in _all()})


def existing_options(command: F) -> F:
    """Declare the options to click; the command is given them by name, for ``settings``."""
    import click  # noqa: PLC0415 - the plugin does without

    for option in reversed(_FLAGS):
        command = click.option(f"--{option.name}", is_flag=True, help=_marked(option))(command)
    for option in reversed(_FILES):
        kind = click.Path(path_type=Path, dir_okay=False)
        command = click.option(f"--{option.name}", type=kind, metavar=option.metavar, help=_marked(option))(command)
    for option in reversed((*_TEXTS, _IMAGE)):
        command = click.option(f"--{option.name}", default="", metavar=option.metavar, help=_marked(option))(command)
    for option in reversed(_SEVERAL):
        command = click.option(f"--{option.name}", multiple=True, metavar=option.metavar, help=_marked(option))(command)
    return command


def settings(**given: Any) -> ExistingSettings:  # noqa: ANN401 - options of several types
    """Return options as settings; what was not given stays at its default."""
    known = {_field(option) for option in _all()}
    chosen = {name: value for name, value in given.items() if name in known and value}
    for option in _FILES:
        if _field(option) in chosen:
            chosen[_field(option)] = chosen[_field(option)].absolute()
    for option in _SEVERAL:
        chosen[_field(option)] = tuple(chosen.get(_field(option), ()))
    return ExistingSettings(**chosen)


def _all() -> tuple[_Option, ...]:
    return (*_SEVERAL, *_TEXTS, *_FILES, *_FLAGS, _IMAGE)


def _field(option: _Option) -> str:
    return option.name.replace("-", "_")


def _marked(option: _Option) -> str:
    return f"on existing: {option.help}"
