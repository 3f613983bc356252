"""Probes, observations and sightings as JSON values: for the prober's channel and for ``kubectl exec``. Pure.

A probe is an object of the fields of ``observation.Probe``; those at their default are left out. An observation
does not repeat its probe: answers stand in the order of the questions.
"""

from __future__ import annotations

import functools
from dataclasses import MISSING, fields
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.observation import Observation, Outcome, Probe, Protocol, Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.topology import IPAddress

_PROBE_DEFAULTS = tuple((each.name, each.default) for each in fields(Probe) if each.default is not MISSING)
_OPTIONAL_NUMBER, _OPTIONAL_TEXT = (int, type(None)), (str, type(None))
_PROBE_FIELDS: dict[str, tuple[type, ...]] = {
    "source": (str,),
    "destination": (str,),
    "port": (int,),
    "protocol": (str,),
    "size": (int,),
    "timeout": (int, float),
    "again": (int, float),
    "ttl": _OPTIONAL_NUMBER,
    "dont_fragment": (bool,),
    "write_size": _OPTIONAL_NUMBER,
    "traffic_class": _OPTIONAL_NUMBER,
    "idle": (int, float),
    "forged_source": _OPTIONAL_TEXT,
    "device": (str,),
}
"""What JSON may hold: checked here, at the edge, so that nothing odd reaches an engine that serves others too."""
_PROTOCOLS = {each.value: each for each in Protocol}
_OUTCOMES = {each.value: each for each in Outcome}


def probe_to_json(probe: Probe) -> dict[str, Any]:
    """Return a probe as a JSON object."""
    result: dict[str, Any] = {"source": probe.source, "destination": _text(probe.destination)}
    for name, default in _PROBE_DEFAULTS:
        value = getattr(probe, name)
        if value != default:
            result[name] = value
    if "protocol" in result:
        result["protocol"] = probe.protocol.value
    if probe.forged_source is not None:
        result["forged_source"] = _text(probe.forged_source)
    return result


def probe_from_json(value: Mapping[str, Any]) -> Probe:
    """Return the probe of a JSON object. ``ValueError`` names what is wrong with it."""
    arguments = dict(value)
    try:
        for name, entry in arguments.items():
            if not isinstance(entry, _PROBE_FIELDS[name]):
                raise ValueError(f"a probe's {name} cannot be {entry!r}")  # noqa: TRY004 - bad input, not a bug
        arguments["destination"] = _address(arguments["destination"])
        if "protocol" in arguments:
            arguments["protocol"] = _PROTOCOLS[arguments["protocol"]]
        if arguments.get("forged_source") is not None:
            arguments["forged_source"] = _address(arguments["forged_source"])
        return Probe(**arguments)
    except KeyError as error:
        raise ValueError(f"a probe with an unknown field or value, or without one: {error}") from error
    except TypeError as error:
        raise ValueError(f"a probe without a field: {error}") from error


def observation_to_json(seen: Observation) -> dict[str, Any]:
    """Return an observation as a JSON object, without its probe and without what it does not know."""
    result: dict[str, Any] = {"outcome": seen.outcome.value, "nonce": seen.nonce}
    if seen.seen_as is not None:
        result["seen_as"] = _text(seen.seen_as)
    if seen.responder:
        result["responder"] = seen.responder
    if seen.rtt is not None:
        result["rtt"] = seen.rtt
    if seen.reporter is not None:
        result["reporter"] = _text(seen.reporter)
    if seen.mtu is not None:
        result["mtu"] = seen.mtu
    if seen.detail:
        result["detail"] = seen.detail
    return result


def observation_from_json(probe: Probe, value: Mapping[str, Any]) -> Observation:
    """Return the observation of ``probe`` that a JSON object tells."""
    seen_as, reporter = value.get("seen_as"), value.get("reporter")
    return Observation(
        probe=probe,
        outcome=_OUTCOMES[value["outcome"]],
        nonce=value["nonce"],
        seen_as=None if seen_as is None else _address(seen_as),
        responder=value.get("responder", ""),
        rtt=value.get("rtt"),
        reporter=None if reporter is None else _address(reporter),
        mtu=value.get("mtu"),
        detail=value.get("detail", ""),
    )


def sighting_to_json(sighting: Sighting) -> dict[str, Any]:
    """Return a sighting as a JSON object."""
    return {
        "place": sighting.place,
        "nonce": sighting.nonce,
        "source": _text(sighting.source),
        "protocol": sighting.protocol.value,
        "time": sighting.time,
        "traffic_class": sighting.traffic_class,
    }


def sighting_from_json(value: Mapping[str, Any]) -> Sighting:
    """Return the sighting of a JSON object."""
    return Sighting(
        place=value["place"],
        nonce=value["nonce"],
        source=_address(value["source"]),
        protocol=_PROTOCOLS[value["protocol"]],
        time=value["time"],
        traffic_class=value["traffic_class"],
    )


@functools.lru_cache(maxsize=4096)
def _text(address: IPAddress) -> str:
    return str(address)


@functools.lru_cache(maxsize=4096)
def _address(text: str) -> IPAddress:
    return ip_address(text)
