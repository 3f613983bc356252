"""Options of kinds of lab as tables: the same words for pytest and for the command line."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pytest
    from _typeshed import DataclassInstance

    F = TypeVar("F", bound=Callable[..., Any])


class Takes(enum.Enum):
    """What follows an option."""

    NOTHING = enum.auto()
    TEXT = enum.auto()
    FILE = enum.auto()
    SEVERAL = enum.auto()
    """A text, and the option may be given more than once."""


class Option(NamedTuple):
    """One option; its value is a field of the settings."""

    name: str
    metavar: str
    help: str
    takes: Takes
    field: str = ""
    """Of the settings; empty: the option's own name."""

    @property
    def target(self) -> str:
        """The field that it fills."""
        return self.field or self.parameter

    @property
    def parameter(self) -> str:
        """The name under which pytest and click hand out its value."""
        return self.name.replace("-", "_")


def declare_to_pytest(group: pytest.OptionGroup, options: Iterable[Option], about: str) -> None:
    """Declare options to pytest; ``about`` goes before each help."""
    for option in options:
        help_text = f"{about}: {option.help}"
        match option.takes:
            case Takes.NOTHING:
                group.addoption(f"--{option.name}", action="store_true", help=help_text)
            case Takes.TEXT:
                group.addoption(f"--{option.name}", default="", metavar=option.metavar, help=help_text)
            case Takes.FILE:
                group.addoption(f"--{option.name}", type=Path, metavar=option.metavar, help=help_text)
            case Takes.SEVERAL:
                group.addoption(f"--{option.name}", action="append", default=[], metavar=option.metavar, help=help_text)


def declare_to_click(command: F, options: Sequence[Option], about: str) -> F:
    """Declare options to click; the command is given them by name."""
    import click  # noqa: PLC0415 - the plugin does without

    for option in reversed(options):
        kind: dict[str, Any] = {"metavar": option.metavar}
        match option.takes:
            case Takes.NOTHING:
                kind = {"is_flag": True}
            case Takes.TEXT:
                kind["default"] = ""
            case Takes.FILE:
                kind["type"] = click.Path(path_type=Path, dir_okay=False)
            case Takes.SEVERAL:
                kind["multiple"] = True
        command = click.option(f"--{option.name}", help=f"{about}: {option.help}", **kind)(command)
    return command


def read_from_pytest(config: pytest.Config, options: Iterable[Option]) -> dict[str, Any]:
    """Return what pytest was given, by parameter."""
    return {option.parameter: config.getoption(f"--{option.name}") for option in options}


def chosen(given: Mapping[str, Any], options: Iterable[Option]) -> dict[str, Any]:
    """Return the fields of settings that were given; what was not is left out, and stays at its default."""
    found: dict[str, Any] = {}
    for option in options:
        value = given.get(option.parameter)
        if value:
            found[option.target] = _settled(value, option.takes)
    return found


def _settled(value: Any, takes: Takes) -> Any:  # noqa: ANN401 - of several types
    if takes is Takes.FILE:
        return value.absolute()
    return tuple(value) if takes is Takes.SEVERAL else value


def words_of(settings: DataclassInstance, names: Mapping[str, str] | None = None) -> list[str]:
    """Return the options that another process of this program is started with, so that it has the same settings.

    ``names``: of the options whose names are not those of their fields.
    """
    words: list[str] = []
    for each in dataclasses.fields(settings):
        option, value = f"--{(names or {}).get(each.name, each.name).replace('_', '-')}", getattr(settings, each.name)
        if value in (each.default, None):
            continue
        if isinstance(value, tuple):
            words += [word for one in value for word in (option, one)]
        else:
            words += [option] if value is True else [option, str(value)]
    return words
