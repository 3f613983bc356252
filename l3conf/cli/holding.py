"""Commands that have something in force while they run."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.model.faults import Fault

_FOREVER = 10.0 * 365 * 86400


def lasting(command: Callable[..., list[Fault]]) -> Callable[..., None]:
    """Turn a function that names faults into a command that holds them."""

    @click.option("--lab", "name", help="Name of the lab, where several run.")
    @click.option("--seconds", "duration", type=click.FloatRange(min=0.01), help="End after so long; at Ctrl-C else.")
    @functools.wraps(command)
    def run(name: str | None, duration: float | None, **arguments: Any) -> None:  # noqa: ANN401 - click's own
        hold(command(**arguments), name, duration)

    return run


def hold(faults: list[Fault], name: str | None, duration: float | None) -> None:
    """Have faults in force for so many seconds, or until Ctrl-C."""
    from l3conf.emulator.control.client import ControlClient  # noqa: PLC0415 - `l3conf --help` needs none of this
    from l3conf.emulator.ground.state import find_lab  # noqa: PLC0415
    from l3conf.model.faults import fault_to_json  # noqa: PLC0415

    with ControlClient(find_lab(name)) as control:
        started = [control.call("fault.start", {"fault": fault_to_json(each)})["id"] for each in faults]
        click.echo(f"in force{'' if duration else '; end with Ctrl-C'}", err=True)
        try:
            time.sleep(duration or _FOREVER)
        except KeyboardInterrupt:
            click.echo(err=True)
        for number in reversed(started):
            control.call("fault.stop", {"id": number})
