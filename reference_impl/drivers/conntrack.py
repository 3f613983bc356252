"""Flows that began before their way existed.

Until a member was known, packets for its prefixes left by the default route, and somebody's masquerade gave
those flows another source. Conntrack remembers that as long as packets keep coming, so a client that patiently
retries from one port would never get through. Such flows are forgotten when the way appears; the next packet
starts a new one, whose source is settled by our own rules.
"""

from __future__ import annotations

import logging
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.drivers.conntrack_table import ConntrackTable
from reference_impl.flows import is_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from reference_impl.drivers.conntrack_table import Entry
    from reference_impl.flows import Bindings, Flow, Suspects
    from reference_impl.state import IPNetwork

_LOG = logging.getLogger(__name__)
_COUNT, _BUCKETS = (Path("/proc/sys/net/netfilter", f"nf_conntrack_{name}") for name in ("count", "buckets"))
_BUCKETS_A_FLOW = 700
"""Reading a flow here takes as long as the kernel needs to pass so many buckets of its table, which is one for all
namespaces: 262,144 of them take 9 ms, whatever is looked for."""
_MOST_LOOKS = 64
"""Where it is not known how many flows there are."""


def forget_stale_flows(bindings: Bindings, suspects: Suspects | None = None) -> int:
    """Delete every flow that should go under another global address by now; return how many there were.

    ``suspects``: whose flows can be such; None: everybody's.
    """
    with ConntrackTable(bindings.pool.version) as table:
        if suspects is None or _is_whole_cheaper(suspects):
            entries: Iterable[Entry] = table.entries()
        else:
            began = (table.entries_from(source) for source in suspects.sources)
            into = table.entries_into(suspects.remote) if suspects.remote else ()
            entries = chain(*began, *(table.entries_to(destination) for destination in suspects.destinations), into)
        return _forget(table, entries, lambda flow: is_stale(flow, bindings))


def whole_is_cheaper(looks: int, flows: int, buckets: int) -> bool:
    """Say whether reading all flows takes less time than having the kernel look that often for some. Pure."""
    return looks * buckets > buckets + flows * _BUCKETS_A_FLOW


def _is_whole_cheaper(suspects: Suspects) -> bool:
    looks = len(suspects.sources) + len(suspects.destinations) + bool(suspects.remote)
    try:
        return whole_is_cheaper(looks, int(_COUNT.read_text()), int(_BUCKETS.read_text()))
    except (OSError, ValueError):
        return looks > _MOST_LOOKS


def forget_translated_flows(prefixes: Collection[IPNetwork]) -> int:
    """Delete every flow towards one of the prefixes whose source was rewritten; return how many there were."""
    forgotten = 0
    for version in sorted({each.version for each in prefixes}):
        with ConntrackTable(version) as table:
            entries = table.entries_into([each for each in prefixes if each.version == version])
            forgotten += _forget(table, entries, lambda flow: flow.known_as != flow.source)
    return forgotten


def _forget(table: ConntrackTable, entries: Iterable[Entry], is_wanted: Callable[[Flow], bool]) -> int:
    """Delete flows; one that cannot be deleted, or has just ended, keeps no other from it."""
    forgotten = 0
    for entry in [each for each in entries if is_wanted(each.flow)]:
        try:
            table.delete(entry)
        except FileNotFoundError:
            continue
        except OSError as error:
            _LOG.warning("a flow cannot be ended: %s: %s", error, entry.flow)
            continue
        forgotten += 1
    return forgotten
