"""Call the hooks of an implementation: ``<command> <verb>``, one JSON object in, one out."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from l3conf.adapter.placeholders import fill
from l3conf.adapter.process import run_to_end
from l3conf.errors import HookFailedError, HookProtocolError, HookTimeoutError, InvalidFileError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from l3conf.adapter.process import Ended
    from l3conf.adapter.requests import HookRequest
    from l3conf.model.implementation import Implementation, Verb

EXIT_UNAVAILABLE = 127
"""A hook's answer to a verb it does not have, as a shell's to a command it does not have."""
OUTPUT_LIMIT = 1 << 20
"""Bytes of stdout: an answer is a small object; logs belong on stderr."""
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
_LOG_TAIL = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class HookCall:
    """One call of a hook, for the record."""

    verb: str
    cluster: str
    exit_code: int
    seconds: float
    log: Path
    timed_out: bool
    strays: int
    """Processes that outlived the hook and were ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookResult:
    """A hook that did its work."""

    verb: str
    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookUnavailable:
    """A hook that cannot do this (exit code 127, or a verb that the file does not declare)."""

    verb: str
    reason: str


class HookRunner:
    """Runs the hooks of one implementation, one process a call.

    ``log_directory`` receives one file of stderr a call; ``record`` is told of every call that ended.
    ``grace`` is the time in seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        implementation: Implementation,
        *,
        log_directory: Path,
        record: Callable[[HookCall], None] = lambda _call: None,
        grace: float = 5.0,
    ) -> None:
        self.implementation = implementation
        self._log_directory = log_directory
        self._record = record
        self._grace = grace
        self._calls = 0

    def check_canary(self, request: HookRequest, random: random.Random, *, timeout: float = 10.0) -> None:
        """Call a verb that cannot exist and insist on exit code 127.

        Hooks that answer success to anything cannot be believed in anything: ``HookProtocolError``.
        """
        verb = f"canary-{random.getrandbits(32):08x}"
        ended = self._call(verb, request, min(timeout, self.implementation.hook_timeout))
        if ended.exit_code != EXIT_UNAVAILABLE:
            raise HookProtocolError(
                f"a verb that does not exist ({verb}) was answered with exit code {ended.exit_code}",
                where=str(self.implementation.path),
                remedy=f"hooks must answer {EXIT_UNAVAILABLE} to every verb they do not have",
            )

    def run(self, verb: Verb, request: HookRequest, *, timeout: float = 120.0) -> HookResult | HookUnavailable:
        """Call one hook and wait for it, ``timeout`` seconds at most or less if the implementation says so.

        Raises ``HookTimeoutError`` at that deadline, ``HookFailedError`` for an exit code
        other than 0 and 127, ``HookProtocolError`` for output that is not one JSON object.
        """
        if verb not in self.implementation.verbs:
            return HookUnavailable(verb=verb.value, reason=f"{self.implementation.path.name} declares no {verb.value}")
        ended = self._call(verb.value, request, min(timeout, self.implementation.hook_timeout))
        if ended.exit_code == EXIT_UNAVAILABLE:
            return HookUnavailable(verb=verb.value, reason=f"hook {verb.value} answered {EXIT_UNAVAILABLE}")
        return HookResult(verb=verb.value, output=self._parse(verb.value, ended.stdout))

    def _call(self, verb: str, request: HookRequest, timeout: float) -> Ended:
        self._calls += 1
        self._log_directory.mkdir(parents=True, exist_ok=True)
        request.work_directory.mkdir(parents=True, exist_ok=True)
        log = self._log_directory / f"{self._calls:02d}-{verb}{'-' if request.cluster else ''}{request.cluster}.log"
        with log.open("wb") as stream:
            ended = self._start(verb, request, stream, timeout)
        self._record(
            HookCall(
                verb=verb,
                cluster=request.cluster,
                exit_code=ended.exit_code,
                seconds=ended.seconds,
                log=log,
                timed_out=ended.timed_out,
                strays=ended.strays,
            )
        )
        self._raise_if_broken(verb, ended, log, timeout)
        return ended

    def _start(self, verb: str, request: HookRequest, log: IO[bytes], timeout: float) -> Ended:
        folder = self.implementation.path.parent
        argv = [*command_line(self.implementation.command, folder), verb]
        try:
            return run_to_end(
                argv,
                stdin=json.dumps(request.to_json(verb)).encode(),
                env=environment(os.environ, self.implementation.hook_env),
                cwd=folder,
                log=log,
                timeout=timeout,
                grace=self._grace,
                output_limit=OUTPUT_LIMIT,
            )
        except OSError as error:
            raise InvalidFileError(
                f"hook command {argv[0]!r} cannot be started: {error.strerror}",
                where=str(self.implementation.path),
                remedy="correct the command of its hooks",
            ) from error

    def _raise_if_broken(self, verb: str, ended: Ended, log: Path, timeout: float) -> None:
        where = f"hook {verb} of {self.implementation.name}"
        if ended.timed_out:
            raise HookTimeoutError(
                f"still running after {timeout:g} s and was ended{last_words(log)}",
                where=where,
                remedy=f"its log is {log}",
            )
        if ended.overflowed:
            raise HookProtocolError(f"printed more than {OUTPUT_LIMIT} bytes", where=where, remedy="log to stderr")
        # A canary is judged by its caller: every exit code but 127 is wrong there.
        if ended.exit_code not in {0, EXIT_UNAVAILABLE} and not verb.startswith("canary-"):
            raise HookFailedError(
                f"ended with exit code {ended.exit_code}{last_words(log)}", where=where, remedy=f"its log is {log}"
            )

    def _parse(self, verb: str, stdout: bytes) -> Mapping[str, Any]:
        """Return the answer; an empty one stands for an empty object."""
        if not stdout.strip():
            return {}
        try:
            answer = json.loads(stdout)
        except ValueError as error:
            answer = error
        if isinstance(answer, dict):
            return answer
        raise HookProtocolError(
            f"printed something that is not one JSON object: {stdout[:80]!r}",
            where=f"hook {verb} of {self.implementation.name}",
            remedy="print one JSON object or nothing on stdout, and log to stderr",
        )


def command_line(command: tuple[str, ...], folder: Path) -> list[str]:
    """Fill ``{python}`` and ``{directory}`` into a command; other braces stay as they are."""
    return [fill(part, folder) for part in command]


def environment(own: Mapping[str, str], hook_env: Mapping[str, str]) -> dict[str, str]:
    """Return a hook's whole environment: the few variables every program needs, and what its file asks for."""
    return {**{name: own[name] for name in INHERITED if name in own}, **hook_env}


def last_words(log: Path) -> str:
    """Return the last line of a log as a suffix to a message, or nothing."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _LOG_TAIL))
        lines = stream.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last[:300]}" if last else ""
