"""What ``ip``, ``bridge`` and ``tc`` say in JSON, as state. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from l3conf.probes.node_state import State, put

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_CARRIER_FLAGS = frozenset({"LOWER_UP", "NO-CARRIER", "RUNNING", "M-DOWN", "DORMANT", "ECHO"})
_TIMERS_OF_A_BRIDGE = frozenset(
    {
        "bridge_id",
        "root_id",
        "root_port",
        "root_path_cost",
        "topology_change",
        "topology_change_detected",
        "hello_timer",
        "tcn_timer",
        "topology_change_timer",
        "gc_timer",
        "fdb_n_learned",
    }
)
"""What a bridge computes from its ports and its clock."""
_ROUTE_KEY = frozenset({"dst", "dev", "table", "type", "metric"})
_ROUTE_NOISE = frozenset({"flags", "expires", "cache", "error", "age", "used", "users", "pref"})
_ROUTE_FLAGS = frozenset({"onlink", "pervasive"})
"""Of a route's flags only these are configuration; the others follow the carrier or an offload."""


def links(devices: Iterable[Mapping[str, Any]]) -> State:
    """Return kind, settings, MTU, flags and master of every device (``ip -d -j link``)."""
    state: State = {}
    for device in devices:
        info = device.get("linkinfo", {})
        root = f"link/{device['ifname']}"
        state[f"{root}/kind"] = info.get("info_kind", device.get("link_type", ""))
        state[f"{root}/mtu"] = str(device["mtu"])
        state[f"{root}/flags"] = " ".join(sorted(set(device["flags"]) - _CARRIER_FLAGS))
        state[f"{root}/master"] = device.get("master", "")
        state[f"{root}/xdp"] = device.get("xdp", {}).get("mode", "") and "attached"
        for name, value in info.get("info_data", {}).items():
            if name not in _TIMERS_OF_A_BRIDGE:
                state[f"{root}/{name}"] = _text(value)
    return state


def addresses(devices: Iterable[Mapping[str, Any]]) -> State:
    """Return every address but the temporary ones of RFC 8981 (``ip -d -j address``)."""
    state: State = {}
    for device in devices:
        for address in device.get("addr_info", ()):
            if "local" in address and not address.get("temporary"):
                rest = {key: address[key] for key in ("scope", "address", "label", "secondary") if key in address}
                put(state, f"address/{device['ifname']}/{address['local']}/{address['prefixlen']}", _words(rest))
    return state


def routes(entries: Iterable[Mapping[str, Any]]) -> State:
    """Return the routes of all tables (``ip -d -j route show table all``)."""
    state: State = {}
    for route in entries:
        kind = route.get("type", "unicast")
        path = f"route/{route.get('table', 'main')}/{'' if kind == 'unicast' else kind + ' '}{route['dst']}"
        path += "".join(f" {key} {route[key]}" for key in ("dev", "metric") if key in route)
        rest = {key: value for key, value in route.items() if key not in _ROUTE_KEY | _ROUTE_NOISE}
        rest["flags"] = sorted(_ROUTE_FLAGS.intersection(route.get("flags", ())))
        put(state, path, _words(rest))
    return state


def rules(entries: Iterable[Mapping[str, Any]], family: str) -> State:
    """Return the routing rules of a family (``ip -j rule``)."""
    state: State = {}
    for rule in entries:
        rest = {key: value for key, value in rule.items() if key != "priority"}
        put(state, f"rule/{family}/{rule['priority']}", _words(rest))
    return state


def neighbours(entries: Iterable[Mapping[str, Any]]) -> State:
    """Return the neighbours that somebody configured: permanent, learnt by a daemon, proxied (``ip -d -j neigh``).

    Not those that are routers alone: the kernel learns that from what they advertise (RFC 4861 section 4.4).
    """
    state: State = {}
    for entry in entries:
        kept = [word for word in ("extern_learn", "proxy", "router") if word in entry]
        if "PERMANENT" in entry.get("state", ()) or {"extern_learn", "proxy"} & {*kept}:
            put(state, f"neighbour/{entry.get('dev', '')}/{entry['dst']}", " ".join([entry.get("lladdr", ""), *kept]))
    return state


def forwarding(entries: Iterable[Mapping[str, Any]], own: Collection[str]) -> State:
    """Return the forwarding entries that somebody configured (``bridge -d -j fdb``).

    ``own`` are the devices' own addresses, which their bridges note by themselves, as they do multicast.
    """
    state: State = {}
    for entry in entries:
        configured = entry.get("state") in ("permanent", "static") or "extern_learn" in entry.get("flags", ())
        is_multicast = int(entry["mac"][:2], 16) & 1
        if configured and not is_multicast and entry["mac"] not in own:
            rest = {key: entry[key] for key in ("dst", "port", "vni", "viaIf", "vlan", "master") if key in entry}
            put(state, f"fdb/{entry['ifname']}/{entry['mac']}", _words(rest))
    return state


def address_labels(entries: Iterable[Mapping[str, Any]]) -> State:
    """Return the labels by which sources of IPv6 are chosen (``ip -j addrlabel``, RFC 6724 section 2.1)."""
    state: State = {}
    for entry in entries:
        device = f" dev {entry['ifname']}" if "ifname" in entry else ""
        state[f"addrlabel/{entry['address']}/{entry['prefixlen']}{device}"] = str(entry["label"])
    return state


def nexthops(entries: Iterable[Mapping[str, Any]]) -> State:
    """Return the nexthop objects (``ip -j nexthop``)."""
    state: State = {}
    for entry in entries:
        rest = {key: value for key, value in entry.items() if key not in {"id", "flags"}}
        state[f"nexthop/{entry['id']}"] = _words(rest)
    return state


def queues(entries: Iterable[Mapping[str, Any]]) -> State:
    """Return the queueing disciplines that are not a device's default (``tc -j qdisc``)."""
    state: State = {}
    for entry in entries:
        if entry.get("handle") != "0:" and entry["kind"] != "noqueue":
            parent = "root" if entry.get("root") else entry.get("parent", "")
            put(state, f"qdisc/{entry['dev']}/{parent}", f"{entry['kind']} {_text(entry.get('options', {}))}")
    return state


def _words(rest: Mapping[str, Any]) -> str:
    """Return ``gateway 10.0.0.1 protocol static``; nothing for what is empty."""
    return " ".join(f"{key} {_text(rest[key])}" for key in sorted(rest) if rest[key] not in (None, "", [], {}))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
