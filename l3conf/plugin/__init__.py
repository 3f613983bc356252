"""The pytest plugin: marks, options, labs as fixtures, events of every test, and one report in the end.

Must not hold expectations, commands or knowledge of one kind of lab. It is loaded wherever l3conf is installed,
so it costs other people's test runs nothing: everything heavy is imported when the first scenario is collected.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.labs import LASTING
from l3conf.model.topology import IPFamily
from l3conf.observation import Protocol
from l3conf.oracle import Via
from l3conf.plugin import fixtures, incapability, marks
from l3conf.plugin.caller import follow_caller, tidy_up_for_caller
from l3conf.plugin.fixtures import POOL, RUN
from l3conf.plugin.options import add_options, read_options
from l3conf.plugin.recorder import Recorder
from l3conf.plugin.run import EVENTS, MAIN_WORKER, Run
from l3conf.plugin.second_try import SecondTry
from l3conf.plugin.stages import Once

if TYPE_CHECKING:
    from l3conf.plugin.options import RunOptions
    from l3conf.plugin.pool import LabPool

__all__ = [
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_make_parametrize_id",
    "pytest_report_header",
    "pytest_unconfigure",
]

_OPTIONS: pytest.StashKey[RunOptions] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the plugin's options."""
    add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks and decide which part this process plays."""
    # By itself: among this package's names a fixture gives way to the submodule of its name once that is imported.
    config.pluginmanager.register(fixtures, "l3conf-fixtures")
    config.pluginmanager.register(incapability, "l3conf-incapability")
    marks.declare(config)
    options = config.stash[_OPTIONS] = read_options(config)
    is_worker = hasattr(config, "workerinput")
    if not is_worker:
        follow_caller()
    if options.output is not None and not is_worker and not config.option.collectonly:
        from l3conf.plugin.controller import Controller  # noqa: PLC0415 - nothing heavy unless it is asked for

        config.pluginmanager.register(Controller(config, options, options.output), "l3conf-controller")
    allure = getattr(config.option, "allure_report_dir", None)  # the option is unknown where its plugin is not loaded
    if allure and not is_worker:
        from l3conf.plugin.allure_run import AllureRun  # noqa: PLC0415 - for those who use Allure

        config.pluginmanager.register(AllureRun(Path(allure), options), "l3conf-allure")
    distributes = getattr(config.option, "dist", "no") != "no" and getattr(config.option, "tx", None)
    if distributes and options.lab_kind in LASTING:
        raise pytest.UsageError(f"--on {options.lab_kind}: one lab stands at a time (leave out -n)")
    if is_worker or not distributes:
        _become_worker(config, options)
    else:
        from l3conf.plugin.distribution import Distribution  # noqa: PLC0415 - needs xdist, which then is there

        config.pluginmanager.register(Distribution(options.seed), "l3conf-distribution")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a scenario on each of its topologies, in each family that these have."""
    if metafunc.definition.get_closest_marker("topology") is not None:
        from l3conf.plugin.parametrization import parametrize  # noqa: PLC0415 - reads files, for scenarios only

        parametrize(metafunc, metafunc.config.stash[_OPTIONS].own_topologies)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name our own enumerations by their values: ``[tcp]``, not ``[Protocol.TCP]``."""
    return str(val.value) if isinstance(val, IPFamily | Protocol | Via) else None


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is tested, and the seed with which it can be repeated."""
    options = config.stash[_OPTIONS]
    if options.output is None and config.getoption("seed") is None:
        return None
    return f"l3conf: {options.implementation} on {options.lab_kind}, seed {options.seed}"


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Tidy up where the command that would do it was killed."""
    if not hasattr(config, "workerinput"):
        tidy_up_for_caller()


def _become_worker(config: pytest.Config, options: RunOptions) -> None:
    run = Run(
        options=options,
        worker=getattr(config, "workerinput", {}).get("workerid", MAIN_WORKER),
        events_directory=options.output and options.output / EVENTS,
        root=config.rootpath,
    )
    config.stash[RUN] = run
    config.stash[POOL] = Once(lambda: _make_pool(run))
    second_try = SecondTry()
    config.pluginmanager.register(second_try, "l3conf-second-try")
    config.pluginmanager.register(Recorder(run, config.stash[POOL], second_try), "l3conf-recorder")


def _make_pool(run: Run) -> LabPool:
    from l3conf.plugin.pool import LabPool  # noqa: PLC0415 - brings the Kubernetes client, for scenarios only

    return LabPool(run)
