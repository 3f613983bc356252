"""Round-trip times as gateways report them, beside measured ones.

The least of several is taken of both, over the same time: on a busy machine either side is now and then late, and
never early, and reports are too few for a median. The measurement is an ICMP echo from a pod on the gateway node to
the address that the gateway itself asks (RFC 2681: the delay of one packet and its answer).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.expectations.flow import Flow
from l3conf.expectations.places import Stranger
from l3conf.observation import Protocol
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.gateways import latest_connections
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from l3conf.model.topology import IPAddress
    from l3conf.plugin.lab import Lab

RELATIVE, ABSOLUTE = 0.2, 0.0002
"""How far a report may be off: the larger of a share of the measured time and of seconds."""
_REPORTS, _MEASURED = 2, 5
"""Samples that are needed of either kind."""
_FULL = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(slots=True)
class Samples:
    """Seconds of round trips while something holds."""

    reported: dict[int, float] = field(default_factory=dict)
    """``latencyRTT.last``, by the Unix seconds of the report."""
    measured: list[float] = field(default_factory=list)

    def difference(self) -> str:
        """Return how far apart both are; empty if they agree."""
        if len(self.reported) < _REPORTS or len(self.measured) < _MEASURED:
            return f"{len(self.reported)} reports and {len(self.measured)} measurements"
        said, seen = min(self.reported.values()), min(self.measured)
        allowed = max(RELATIVE * seen, ABSOLUTE)
        if abs(said - seen) <= allowed:
            return ""
        return f"reported {said * 1e3:.3f} ms, measured {seen * 1e3:.3f} ms: more than {allowed * 1e3:.3f} ms apart"


def seconds(duration: object) -> float:
    """Return a Go duration in seconds (``time.ParseDuration``, unsigned); ``AssertionError`` if it is none."""
    text = str(duration)
    if _FULL.fullmatch(text) is None:
        raise AssertionError(f"latencyRTT holds {duration!r}, which is no duration")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def order_faults(latency: Mapping[str, Any]) -> list[str]:
    """Return what cannot be true of one ``latencyRTT``: a least time above the others, or a greatest below."""
    least, greatest = seconds(latency.get("min")), seconds(latency.get("max"))
    inner = {name: seconds(latency.get(name)) for name in ("last", "average")}
    return [
        f"{name} {latency[name]} is outside of {latency['min']} to {latency['max']}"
        for name, value in inner.items()
        if not least <= value <= greatest
    ]


def await_agreement(lab: Lab, pairs: Collection[tuple[str, str]], *, since: float) -> None:
    """Expect within ``T_stale`` that what members report of peers is what is measured, for all pairs at once.

    ``since``: Unix seconds from which on reports count; those of the same second may be older.
    """
    samples = {pair: Samples() for pair in pairs}

    def look() -> str | Pending:
        apart = [text for pair in pairs if (text := _look(lab, *pair, samples[pair], since))]
        return Pending("; ".join(apart)) if apart else "round trips agree"

    told = " and ".join(f"{member} of {peer}" for member, peer in pairs)
    lab.harness.wait(f"round-trip times are reported truly: {told}", look, "T_stale")


def _look(lab: Lab, member: str, peer: str, samples: Samples, since: float) -> str:
    """Take one more sample of either kind; return how far apart both are, empty if they agree."""
    said = latest_connections(lab.apis[member].items(f"{GROUP}/gateways")).get(peer)
    latency = said.entry.get("latencyRTT") if said is not None else None
    if said is None or not latency:
        return f"{member} reports no latencyRTT of {peer}"
    faults = order_faults(latency)
    if faults:
        raise AssertionError(f"{member} of {peer}: {'; '.join(faults)}")
    if said.reported > since + 1:
        samples.reported[said.reported] = seconds(latency.get("last"))
    samples.measured += _measure(lab, member, said.entry)
    apart = samples.difference()
    return f"{member} of {peer}: {apart}" if apart else ""


def _measure(lab: Lab, member: str, entry: Mapping[str, Any]) -> Sequence[float]:
    """Return the time of an echo from the member's gateway node to where it asks itself; nothing if it was lost."""
    client = next(pod for pod in lab.pods.of(member) if pod.on_gateway)
    asked = _health_check(entry)
    family = next(one for one in lab.families if one.of(asked) is one)
    flow = Flow(client=client, server=Stranger(addresses=(asked,)), protocol=Protocol.ICMP, family=family)
    (seen,) = lab.harness.send([flow.probe(lab.harness.budgets.get("T_probe"))])
    return [] if seen.rtt is None else [seen.rtt]


def _health_check(entry: Mapping[str, Any]) -> IPAddress:
    text = str((entry.get("endpoint") or {}).get("healthCheckIP") or "")
    if not text:
        raise AssertionError("endpoint.healthCheckIP is empty: nobody can tell what latencyRTT was measured to")
    return ip_address(text)
