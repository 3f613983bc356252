"""What a run was asked for: command-line options as one value."""

from __future__ import annotations

import argparse
import enum
import importlib.util
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import UserError
from l3conf.labs import EXISTING, KIND, KINDS
from l3conf.labs.existing.options import add_existing_options, read_settings
from l3conf.labs.kind.options import add_kind_options, read_kind_settings
from l3conf.spec.budgets import Budgets, parse_override
from l3conf.spec.catalogue import find_requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from l3conf.labs.existing.settings import ExistingSettings
    from l3conf.labs.kind.settings import KindSettings

_DEFAULT_IMPLEMENTATION = Path("reference_impl/impl.yaml")


class Evidence(enum.Enum):
    """Of which tests a run keeps evidence."""

    NONE = "none"
    """Where failures are expected, a dump of each is only expensive."""
    FAILURES = "failures"
    ALL = "all"
    """Also of tests that pass: what they measured, numbers and drawings, but no dump of the lab."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of one run; the same in every worker."""

    implementation: Path | None
    """``--impl``, or the repository's reference implementation if the run stands in a checkout."""
    lab_kind: str
    output: Path | None
    """Folder of the report and of evidence; None: the terminal only."""
    seed: int
    topologies: tuple[str, ...]
    """Names to which the run is restricted, empty: all; or files, on which scenarios run instead of on ours."""
    rows: tuple[str, ...]
    """Requirements to which the run is restricted; empty: all."""
    budgets: Budgets
    evidence: Evidence
    """Of which tests files are kept."""
    hold: bool
    """Keep the labs after the tests until the user has seen enough."""
    brief: bool
    """Each test on the first of its grounds alone, and no more than one worker node a cluster: enough for a trial."""
    existing: ExistingSettings
    """The clusters of ``--on existing``."""
    of_kind: KindSettings
    """The clusters of ``--on kind``."""
    hook_env: Mapping[str, str]
    """Further variables of hooks, by which ``l3conf teeth`` throws a mutant's switch."""

    @property
    def own_topologies(self) -> tuple[str, ...]:
        """The user's own files, on which scenarios run instead of on the topologies that they name."""
        return tuple(each for each in self.topologies if is_own_file(each))


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("l3conf", "conformance of layer-3 connectivity between Kubernetes clusters")
    group.addoption("--impl", type=Path, metavar="FILE", help="implementation file (default: reference_impl/impl.yaml)")
    group.addoption("--on", choices=KINDS, default="emulated", help="kind of lab (default: emulated)")
    group.addoption("--report", type=Path, metavar="DIR", help="write the conformance report and evidence there")
    group.addoption("--seed", type=int, metavar="N", help="order of pairs and hook canary (default: random, printed)")
    group.addoption(
        "--topology",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="only scenarios on this topology; a file: scenarios on that one instead of on their own",
    )
    group.addoption("--row", action="append", default=[], metavar="ID", help="only scenarios that verify this row")
    group.addoption(
        "--budget", action="append", default=[], metavar="NAME=SECONDS", help="override a time of the table of budgets"
    )
    group.addoption("--hold", action="store_true", help="keep the labs after the tests until Enter or Ctrl-C (with -s)")
    group.addoption(
        "--evidence",
        choices=[each.value for each in Evidence],
        default=Evidence.FAILURES.value,
        help="keep files of failures (default), or of all tests: flows as numbers and drawings",
    )
    add_existing_options(group)
    add_kind_options(group)
    group.addoption("--brief", action="store_true", help=argparse.SUPPRESS)
    group.addoption("--hook-env", action="append", default=[], metavar="NAME=VALUE", help=argparse.SUPPRESS)


def read_options(config: pytest.Config) -> RunOptions:
    """Return the run's options; ``pytest.UsageError`` for the caller's mistakes."""
    try:
        if config.getoption("on") == EXISTING:
            read_settings(config).named_contexts  # noqa: B018 - refuses what names no clusters
        if config.getoption("on") == KIND:
            read_kind_settings(config).check()
        budgets = Budgets.default().with_overrides(dict(parse_override(text) for text in config.getoption("budget")))
        rows = tuple(find_requirement(row).id for row in config.getoption("row"))
        topologies = chosen_topologies(config.getoption("topology"))
    except UserError as error:
        raise pytest.UsageError(str(error)) from None
    return RunOptions(
        implementation=config.getoption("impl") or _default_implementation(config),
        lab_kind=config.getoption("on"),
        output=_absolute(config.getoption("report")),
        seed=_seed(config),
        topologies=topologies,
        rows=rows,
        budgets=budgets,
        evidence=Evidence(config.getoption("evidence")),
        hold=config.getoption("hold"),
        brief=config.getoption("brief"),
        existing=read_settings(config),
        of_kind=read_kind_settings(config),
        hook_env=dict(text.split("=", 1) for text in config.getoption("hook_env")),
    )


def is_own_file(topology: str) -> bool:
    """Say whether a topology is given as a file of the user's, not by the name of one of ours."""
    return topology.endswith((".yaml", ".yml")) or "/" in topology


def chosen_topologies(texts: Iterable[str]) -> tuple[str, ...]:
    """Return what ``--topology`` names, each once: names as they are, files by their absolute paths.

    ``UserError`` for a file that is not there, and for two that tests, labs and reports could not tell apart.
    """
    chosen = tuple(dict.fromkeys(chosen_topology(text) for text in texts))
    by_name: dict[str, str] = {}
    for each in chosen:
        other = by_name.setdefault(Path(each).stem if is_own_file(each) else each, each)
        if other != each:
            raise UserError(
                f"has the name of {other}, and reports tell topologies by their names",
                where=f"--topology {each}",
                remedy="rename one of the files",
            )
    return chosen


def chosen_topology(text: str) -> str:
    """Return what one ``--topology`` names. ``UserError`` if it is a file that is not there."""
    if not is_own_file(text):
        return text
    if not Path(text).is_file():
        raise UserError("there is no such file", where=f"--topology {text}", remedy="give a topology file, or a name")
    return str(Path(text).absolute())


def topology_file(name: str, root: Path) -> Path:
    """Return the file of a topology: the user's own, or by its name of this checkout or of the installed package."""
    if is_own_file(name):
        return Path(name)
    for place in _topology_folders(root):
        if (place / f"{name}.yaml").is_file():
            return place / f"{name}.yaml"
    known = ", ".join(known_topologies(root))
    raise UserError(f"there is no topology {name!r}", remedy=f"there are: {known or 'none'}")


def known_topologies(root: Path) -> list[str]:
    """Return the names of all topologies, in order."""
    return sorted({file.stem for place in _topology_folders(root) for file in place.glob("*.yaml")})


def _topology_folders(root: Path) -> list[Path]:
    installed = importlib.util.find_spec("topologies")
    found = [] if installed is None else [Path(place) for place in installed.submodule_search_locations or ()]
    return [root / "topologies", *found]


def _default_implementation(config: pytest.Config) -> Path | None:
    for root in (config.rootpath, config.invocation_params.dir):
        if (root / _DEFAULT_IMPLEMENTATION).is_file():
            return root / _DEFAULT_IMPLEMENTATION
    return None


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _seed(config: pytest.Config) -> int:
    """Return the seed: given, the controller's, or a new one."""
    worker: Mapping[str, int] = getattr(config, "workerinput", {})
    given = config.getoption("seed")
    if given is None:
        given = worker.get("l3conf_seed")
    return secrets.randbelow(1 << 31) if given is None else int(given)
