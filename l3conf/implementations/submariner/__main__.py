"""Hooks for Submariner: JSON in, JSON out (l3conf's adapter protocol), by ``subctl`` and ``kubectl``.

Standard library only, and nothing of l3conf: the folder may be copied.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import commands
from .commands import BROKER_INFO, Command, HookError, read_settings, reported_version, wanted_version
from .programs import Runner, run_all, together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .commands import Request, Settings

VERBS = ("deploy", "join", "leave", "upgrade", "remove", "gather")
CANNOT = 127
ANSWER = {
    "brokerAccess": {"namespace": "submariner-k8s-broker", "secret": "submariner-operator/submariner-broker-secret"},
}
"""Of join: where subctl keeps the member's credential at the broker."""


def act(verb: str, request: Request, settings: Settings) -> dict[str, Any]:
    """Do what a verb asks for, and return the answer."""
    directory = Path(request["workDirectory"])
    runner = Runner(directory, settings.seconds)
    _check_version(runner, settings, _version(verb, request, settings))
    if verb == "deploy":
        run_all(runner, commands.deploy(request, settings, redeployed=(directory / BROKER_INFO).exists()))
    elif verb == "join":
        run_all(runner, commands.join(request, settings))
    elif verb == "leave":
        run_all(runner, commands.leave(request, settings))
    elif verb == "remove":
        failures = together(runner, commands.remove_members(request, settings))
        _check([*failures, *together(runner, commands.remove_broker(request, settings))])
    elif verb == "upgrade":
        run_all(runner, commands.upgrade(request, settings, _contexts(runner, request, settings)))
    else:
        _check(together(runner, commands.gather(request, settings, _contexts(runner, request, settings))))
    return ANSWER if verb == "join" else {}


def _check(failures: list[str]) -> None:
    if failures:
        raise HookError("; ".join(failures))


def _version(verb: str, request: Request, settings: Settings) -> str:
    """Return of which version the subctl must be: others know less than what they take out, or replace themselves."""
    return wanted_version(request, settings) if verb in {"deploy", "join", "upgrade"} else settings.version


def _check_version(runner: Runner, settings: Settings, version: str) -> None:
    program = settings.program(version)
    found = reported_version(runner.run(Command((program, "version"))))
    if found != version:
        raise HookError(f"{program} is subctl {found}, not {version}: install that one, or name it in impl.yaml")


def _contexts(runner: Runner, request: Request, settings: Settings) -> dict[str, str]:
    """Return the context that each kubeconfig means: gather and upgrade would take every one in it."""
    places: list[Mapping[str, Any]] = [*request["clusters"], request["broker"]]
    words = ("config", "current-context")
    argvs = {place["name"]: (settings.kubectl, *commands.kubeconfig(place), *words) for place in places}
    return {name: runner.run(Command(argv)).strip() for name, argv in argvs.items()}


def main(arguments: list[str]) -> int:
    """Run one hook."""
    if len(arguments) != 1 or arguments[0] not in VERBS:
        sys.stderr.write(f"no such hook; there are {', '.join(VERBS)}\n")
        return CANNOT
    try:
        answer = act(arguments[0], json.load(sys.stdin), read_settings(os.environ))
    except HookError as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1
    except (ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"{arguments[0]}: the request cannot be read: {type(error).__name__}: {error}\n")
        return 1
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
