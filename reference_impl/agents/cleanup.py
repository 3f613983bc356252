"""Takes everything of ours out of a node's kernel: the program of the clean-up DaemonSet.

Decision: an agent that ends never cleans up. It cannot know whether it is being restarted, upgraded or
uninstalled, and a data plane that goes away with each roll-out is an outage. A switch that tells it (a field, an
annotation, a finalizer) fails exactly when it is needed: when the agent is crashed or already gone. So
uninstalling is a program of its own. The hooks remove the agents first, then run this on every node, wait for
its word, bounded, and delete it. It needs nothing from the agents: what is ours is told by the marks in
``reference_impl.names``. It may run at any time, any number of times, with nothing there.

Its word is a key in the ConfigMap ``submariner-cleanup``: node name → time. A positive sign, since the absence
of an object also means that nobody has looked yet.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.agents.kernel_hand import KernelHand
from reference_impl.agents.loop import RETRY
from reference_impl.drivers.api import APIError, NotFoundError, Resource
from reference_impl.names import CLEANUP_RECORD, NODE_DIRECTORY
from reference_impl.state import KernelState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.agents.settings import Place
    from reference_impl.drivers.api import API
    from reference_impl.drivers.kernel import Kernel
    from reference_impl.mutants import Mutant

_LOG = logging.getLogger(__name__)


async def run(place: Place, api: API, kernels: Iterable[Kernel], mutant: Mutant) -> None:
    """Clean this node, say so, then wait to be terminated (a DaemonSet's pods must not end)."""
    for kernel in kernels:
        hand = KernelHand(kernel, mutant)
        try:
            while failure := await hand.converge(KernelState(), await hand.observe()):
                _LOG.warning("not clean yet: %s", failure)
                await asyncio.sleep(RETRY)
        finally:
            hand.close()
    shutil.rmtree(Path(NODE_DIRECTORY, place.node), ignore_errors=True)
    await _forget_reports(place, api)
    await _tell(place, api)
    await asyncio.Event().wait()


async def _forget_reports(place: Place, api: API) -> None:
    """Remove what the agents of this node reported: nobody keeps it true any more."""
    for resource in (Resource.GATEWAY, Resource.ROUTE_AGENT):
        try:
            await api.delete(resource, place.node, place.namespace)
        except NotFoundError:
            continue


async def _tell(place: Place, api: API) -> None:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    while True:
        try:
            await api.merge(Resource.CONFIG_MAP, CLEANUP_RECORD, place.namespace, {"data": {place.node: now}})
        except APIError as error:
            _LOG.warning("%s", error)
            await asyncio.sleep(RETRY)
        else:
            _LOG.info("node %s is clean", place.node)
            return
