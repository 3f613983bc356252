"""Files of a test: what it kept of itself, and of a failure a dump: lab, objects, events, node state, one timeline.

The logs of hooks are kept anyway (``Run.hook_logs``).
"""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import TYPE_CHECKING, Any

from l3conf.errors import L3confError, LabIncapableError
from l3conf.expectations.timeline import Timeline
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.inventory import SYSTEM_NAMESPACES
from l3conf.plugin.run import EVIDENCE
from l3conf.report.redaction import redact, redact_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from l3conf.plugin.cluster_api import ClusterAPI
    from l3conf.plugin.lab import Lab
    from l3conf.plugin.run import Run

_OBJECTS = {
    "clusters": f"{GROUP}/clusters",
    "endpoints": f"{GROUP}/endpoints",
    "gateways": f"{GROUP}/gateways",
    "routeagents": f"{GROUP}/routeagents",
    "pods": "/api/v1/pods",
    "events": "/api/v1/events",
}
_LOG_LINES = 300
_TIMELINE_LINES = 400


def keep(run: Run, test: str) -> list[str]:
    """Write what a test kept of itself below the run's folder; return the files, relative to it."""
    writer = _writer(run, test)
    writer.attachments(run)
    return writer.files


def gather(run: Run, labs: Sequence[Lab], test: str, rows: Sequence[str], message: str) -> list[str]:
    """Write the evidence of one failure below the run's folder; return the files, relative to it.

    Bounded by ``T_gather``. What cannot be had is left out and said so: evidence never changes a verdict.
    """
    writer = _writer(run, test)
    writer.text("message.txt", lambda: message)
    writer.text("replay.txt", lambda: replay_line(run, rows))
    writer.attachments(run)
    for lab in labs:
        name = lab.topology.name
        writer.json(f"{name}/lab.json", lambda lab=lab: dict(lab.ground.describe()))  # type: ignore[misc]
        for api in lab.every_api:
            writer.json(
                f"{name}/objects-{api.name}.json",
                lambda api=api: {kind: _objects(api, path) for kind, path in _OBJECTS.items()},  # type: ignore[misc]
            )
        for api in lab.apis.values():
            for pod in _pods_under_test(api):
                writer.text(f"{name}/logs/{api.name}-{pod}.log", lambda api=api, pod=pod: _pod_log(api, pod))  # type: ignore[misc]
        for node in lab.nodes:
            writer.json(
                f"{name}/node-{node.site.cluster}-{node.site.node}.json",
                lambda lab=lab, node=node: lab.ground.node_state(node.site.cluster, node.site.node),  # type: ignore[misc]
            )
    writer.text("timeline.txt", lambda: timeline(run))
    return writer.files


def _objects(api: ClusterAPI, path: str) -> list[Any]:
    """Return the objects of a collection, or why they are not this run's to read."""
    try:
        return api.items(path)
    except LabIncapableError as why:
        return [str(why)]


def _pods_under_test(api: ClusterAPI) -> list[str]:
    """Return ``namespace/name`` of the pods that are neither the suite's own nor the cluster's."""
    try:
        pods = [pod["metadata"] for pod in api.items(_OBJECTS["pods"])]
    except (L3confError, OSError):
        return []  # objects-*.json says why
    return [f"{pod['namespace']}/{pod['name']}" for pod in pods if pod["namespace"] not in SYSTEM_NAMESPACES]


def _pod_log(api: ClusterAPI, pod: str) -> str:
    namespace, _, name = pod.partition("/")
    return api.text(f"/api/v1/namespaces/{namespace}/pods/{name}/log", tailLines=str(_LOG_LINES))


def replay_line(run: Run, rows: Sequence[str]) -> str:
    """Return the command that repeats the rows of a failure."""
    words = ["l3conf", "run", *rows, "--on", run.options.lab_kind, "--seed", str(run.options.seed)]
    if run.options.implementation is not None:
        words += ["--impl", run.options.implementation.name]
    for name, seconds in run.options.budgets.overrides.items():
        words += ["--budget", f"{name}={seconds:g}"]
    return f"{shlex.join(words)}\n"


def timeline(run: Run) -> str:
    """Return the newest moments of the run, in seconds before now."""
    now = time.monotonic()
    moments = sorted(run.timeline, key=lambda moment: moment.time)[-_TIMELINE_LINES:]
    return "".join(f"{moment.time - now:9.3f} s  {moment.text}\n" for moment in moments)


def _writer(run: Run, test: str) -> _Writer:
    return _Writer(run.folder, _folder(test), time.monotonic() + run.options.budgets.get("T_gather"))


class _Writer:
    """Writes files of one folder until the time is over; every text is redacted on its way."""

    def __init__(self, output: Path, folder: str, deadline: float) -> None:
        self.files: list[str] = []
        self._output = output
        self._folder = f"{EVIDENCE}/{folder}"
        self._deadline = deadline

    def json(self, name: str, read: Callable[[], Any]) -> None:
        """Write what ``read`` returns as JSON."""
        self._write(name, lambda: json.dumps(redact_all(read()), indent=1, sort_keys=True, default=str) + "\n")

    def text(self, name: str, read: Callable[[], str]) -> None:
        """Write what ``read`` returns."""
        self._write(name, lambda: redact(read()))

    def attachments(self, run: Run) -> None:
        """Write what a test kept. A timeline is drawn only now: most are never looked at."""
        for name, kept in run.attachments.items():
            if isinstance(kept, Timeline):
                self._drawings(name, kept.told_by(redact))
            elif isinstance(kept, bytes):
                self._write(name, lambda kept=kept: kept)  # type: ignore[misc]
            else:
                self.text(name, lambda kept=kept: kept)  # type: ignore[misc]

    def _drawings(self, name: str, timeline: Timeline) -> None:
        from l3conf.plugin.drawing import FORMATS, draw  # noqa: PLC0415 - takes a second

        for form in FORMATS:
            self._write(f"{name}.{form}", lambda form=form: draw(timeline, form))  # type: ignore[misc]

    def _write(self, name: str, read: Callable[[], str | bytes]) -> None:
        if time.monotonic() > self._deadline:
            return
        try:
            content = read()
        except (L3confError, LookupError, OSError, ValueError) as error:
            content = f"could not be read: {error}\n"
        path = self._output / self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.files.append(f"{self._folder}/{name}")


def _folder(test: str) -> str:
    """Return a folder name for a test: its last parts, without what file systems dislike."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", test.rpartition("/")[2]).strip("-")[:120]
