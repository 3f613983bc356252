"""Agents that die or hang: containers of a node's containerd, ended or stopped by ``ctr`` in the node."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.model.agents import SPARED_NAMESPACES, can_speak
from l3conf.model.faults import AgentsCrashLooping, AgentsFrozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from l3conf.labs.kind.engine import Engine
    from l3conf.model.faults import AgentFault
    from l3conf.plugin.cluster_api import ClusterAPI

_CTR = ("ctr", "--namespace", "k8s.io", "task")
_SCHEME = "containerd://"
_SECONDS = 10.0
_LOOK = 0.2
"""Seconds that an agent in a crash loop lives, at most, and what it takes to ask for it."""
_OWN_NAMESPACES = SPARED_NAMESPACES | {"local-path-storage"}
"""With that of kind's provisioner of volumes."""


@contextmanager
def agents_in(fault: AgentFault, engine: Engine, open_api: Callable[[str], ClusterAPI]) -> Iterator[None]:
    """Let a fault of a node's agents be in force. ``LabError`` if none runs there."""
    speaking = not isinstance(fault, AgentsFrozen)
    with closing(open_api(fault.cluster)) as api:
        agents = running_agents(_pods(api, fault.node), speaking=speaking)
        if not agents:
            raise LabError("no agent runs there", where=f"{fault.cluster}@{fault.node}")
        if not speaking:
            stopped = []
            try:
                for agent in agents:
                    _task(engine, fault.node, "pause", agent)
                    stopped.append(agent)
                yield
            finally:
                for agent in stopped:
                    _task(engine, fault.node, "resume", agent, gone_is_fine=True)
            return
        _kill(engine, fault.node, agents)
        if not isinstance(fault, AgentsCrashLooping):
            yield
            return
        with _killing_on(fault, engine, api):
            yield


def running_agents(pods: Sequence[Mapping[str, Any]], *, speaking: bool) -> list[str]:
    """Return the ids of running containers that are agents; ``speaking``: of those with a credential alone. Pure."""
    found = []
    for pod in pods:
        if pod["metadata"]["namespace"] in _OWN_NAMESPACES:
            continue
        chosen = {one["name"] for one in pod["spec"]["containers"] if not speaking or can_speak(one)}
        found += [
            status["containerID"].removeprefix(_SCHEME)
            for status in (pod.get("status") or {}).get("containerStatuses") or []
            if status["name"] in chosen and "running" in (status.get("state") or {}) and status.get("containerID")
        ]
    return found


@contextmanager
def _killing_on(fault: AgentsCrashLooping, engine: Engine, api: ClusterAPI) -> Iterator[None]:
    """Kill whatever starts again, until the context is left. ``LabError`` then, if that ended before."""
    over, errors = threading.Event(), list[LabError]()

    def work() -> None:
        while not over.wait(_LOOK):
            try:
                _kill(engine, fault.node, running_agents(_pods(api, fault.node), speaking=True))
            except LabError as error:
                errors.append(error)
                return

    thread = threading.Thread(target=work, name=f"killing agents on {fault.node}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if errors:
        raise errors[0]


def _pods(api: ClusterAPI, node: str) -> list[dict[str, Any]]:
    return api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={node}")


def _kill(engine: Engine, node: str, agents: Sequence[str]) -> None:
    for agent in agents:
        _task(engine, node, "kill", "--signal", "SIGKILL", agent, gone_is_fine=True)


def _task(engine: Engine, node: str, *words: str, gone_is_fine: bool = False) -> None:
    code, out, err = engine.exec(node, [*_CTR, *words], seconds=_SECONDS)
    said = (err or out).strip()
    if code and not (gone_is_fine and "not found" in said):
        raise LabError(f"ctr task {words[0]} ended with {code}: {said[-300:]}", where=node)
