"""The nftables text for what a node's proxy serves. Pure.

::

    prerouting, output (dstnat) ── services ── by ClusterIP ──────────► service/…  ── random ──► endpoint/…  dnat
                                      ├─────── by external address ──► external/… ─┘   or by hash of the source
                                      └─────── by node port ─────────► external/… ─┘
    input, forward, output (filter, before DNAT is seen) ── no endpoints: reject or drop
    postrouting (srcnat) ── marked: masquerade

A packet is marked for masquerading when it came to a ClusterIP from outside the cluster's pod range, came from
outside to an external address or a node port, or is sent back to the pod that it came from (hairpin): the
behaviour of kube-proxy with ``--cluster-cidr``. The mark bit is kube-proxy's own.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from l3conf.emulator.proxy.service_ports import Backend, ServicePort
    from l3conf.model.topology import IPAddress, IPNetwork

TABLE = "l3conf-kube-proxy"
MASQUERADE_MARK = 0x4000
LONGEST_NAME = 100
"""Characters of a chain name that come from the label; the kernel allows 127 in all."""

_WORDS = {IPFamily.IPV4: ("ip", "ipv4_addr"), IPFamily.IPV6: ("ip6", "ipv6_addr")}


def ruleset(ports: Sequence[ServicePort], *, family: IPFamily, cluster_cidrs: Iterable[IPNetwork]) -> str:
    """Return a transaction that replaces the whole table of one family; the same input gives the same text."""
    protocol = _WORDS[family][0]
    inside = sorted((cidr for cidr in cluster_cidrs if IPFamily.of(cidr) is family), key=str)
    chains = [chain for port in ports for chain in _port_chains(port, protocol, inside)]
    body = [*_maps(ports, family), *_base_chains(protocol), *chains]
    header = f"table {protocol} {TABLE}"
    return "\n".join([f"add {header}", f"delete {header}", f"{header} {{", *body, "}"]) + "\n"


def _maps(ports: Sequence[ServicePort], family: IPFamily) -> list[str]:
    address = _WORDS[family][1]
    by_address = f"{address} . inet_proto . inet_service : verdict"
    by_port = "inet_proto . inet_service : verdict"
    reachable: dict[str, str] = {}
    refused: dict[str, str] = {}
    node_ports: dict[str, str] = {}
    refused_node_ports: dict[str, str] = {}
    for port in ports:
        end = f". {port.protocol} . {port.port}"
        _enter(reachable, refused, f"{port.cluster_ip} {end}", port, external=False)
        for external in port.external_ips:
            _enter(reachable, refused, f"{external} {end}", port, external=True)
        if port.node_port:
            key = f"{port.protocol} . {port.node_port}"
            _enter(node_ports, refused_node_ports, key, port, external=True)
    cluster_ips = sorted({port.cluster_ip for port in ports}, key=int)
    return [
        _map("service-ips", by_address, reachable),
        _map("node-ports", by_port, node_ports),
        _map("no-endpoint-services", by_address, refused),
        _map("no-endpoint-node-ports", by_port, refused_node_ports),
        _set("cluster-ips", address, cluster_ips),
    ]


def _enter(served: dict[str, str], refused: dict[str, str], key: str, port: ServicePort, *, external: bool) -> None:
    """Put one address of a service port where it belongs. Of two Services with one address the first wins."""
    local = port.external_local if external else port.internal_local
    if key in served or key in refused:
        return
    if not port.backends:
        refused[key] = "goto refuse"
    elif local and not external and not port.local_backends:
        refused[key] = "drop"
    else:
        served[key] = f"goto {_chain('external' if external else 'service', port)}"


def _map(name: str, kind: str, elements: dict[str, str]) -> str:
    content = ", ".join(f"{key} : {verdict}" for key, verdict in elements.items())
    filled = f" elements = {{ {content} }}" if elements else ""
    return f"  map {name} {{ type {kind};{filled} }}"


def _set(name: str, kind: str, elements: Sequence[IPAddress]) -> str:
    filled = f" elements = {{ {', '.join(map(str, elements))} }}" if elements else ""
    return f"  set {name} {{ type {kind};{filled} }}"


def _base_chains(protocol: str) -> list[str]:
    service = f"{protocol} daddr . meta l4proto . th dport vmap"
    node_port = "fib daddr type local meta l4proto . th dport vmap"
    refuse = f"ct state new {service} @no-endpoint-services"
    refuse_node_port = f"ct state new {node_port} @no-endpoint-node-ports"
    wrong_port = f"ct state new {protocol} daddr @cluster-ips reject"
    unmarked = f"meta mark and {MASQUERADE_MARK:#x} == 0 return"
    clear = f"meta mark set meta mark xor {MASQUERADE_MARK:#x}"
    return [
        _rules("refuse", ["reject"]),
        _rules("mark-for-masquerade", [f"meta mark set meta mark or {MASQUERADE_MARK:#x}"]),
        _rules("services", [f"{service} @service-ips", f"{node_port} @node-ports"]),
        _rules("prerouting", [_hook("nat", "prerouting", "dstnat"), "jump services"]),
        _rules("output", [_hook("nat", "output", "-100"), "jump services"]),
        _rules("filter-input", [_hook("filter", "input", "-110"), refuse, refuse_node_port]),
        _rules("filter-forward", [_hook("filter", "forward", "-110"), refuse, wrong_port]),
        _rules("filter-output", [_hook("filter", "output", "-90"), refuse, wrong_port]),
        _rules("postrouting", [_hook("nat", "postrouting", "srcnat"), unmarked, clear, "masquerade fully-random"]),
    ]


def _hook(kind: str, hook: str, priority: str) -> str:
    return f"type {kind} hook {hook} priority {priority}"


def _port_chains(port: ServicePort, protocol: str, inside: Sequence[IPNetwork]) -> list[str]:
    if not port.backends:
        return []
    chains = [_endpoint_chain(port, backend, protocol) for backend in port.backends]
    internal = port.local_backends if port.internal_local else port.backends
    if internal:
        rules = [_mark_outsiders(protocol, inside, port.cluster_ip), _spread(port, internal, protocol)]
        chains.append(_rules(_chain("service", port), rules))
    if port.external_ips or port.node_port:
        chains += _external_chains(port, protocol, inside)
    return chains


def _external_chains(port: ServicePort, protocol: str, inside: Sequence[IPNetwork]) -> list[str]:
    """``externalTrafficPolicy``: Cluster hides the client, Local keeps it and serves from this node alone."""
    everyone = _chain("everywhere", port)
    chains = [_rules(everyone, [_spread(port, port.backends, protocol)])]
    if not port.external_local:
        rules = ["jump mark-for-masquerade", f"goto {everyone}"]
    else:
        rules = [f"{_from(protocol, inside)} goto {everyone}"] if inside else []
        rules += ["fib saddr type local jump mark-for-masquerade", f"fib saddr type local goto {everyone}"]
        local = port.local_backends
        rules.append(_spread(port, local, protocol) if local else "drop")
    return [*chains, _rules(_chain("external", port), rules)]


def _endpoint_chain(port: ServicePort, backend: Backend, protocol: str) -> str:
    target = f"[{backend.address}]" if protocol == "ip6" else str(backend.address)
    hairpin = f"{protocol} saddr {backend.address} jump mark-for-masquerade"
    dnat = f"meta l4proto {port.protocol} dnat to {target}:{backend.port}"
    return _rules(_endpoint(port, backend), [hairpin, dnat])


def _spread(port: ServicePort, backends: Sequence[Backend], protocol: str) -> str:
    """Random, or by the source address: stateless, so a client moves only when the endpoints change."""
    if len(backends) == 1:
        return f"goto {_endpoint(port, backends[0])}"
    choice = f"jhash {protocol} saddr" if port.sticky else "numgen random"
    verdicts = ", ".join(f"{index} : goto {_endpoint(port, item)}" for index, item in enumerate(backends))
    return f"{choice} mod {len(backends)} vmap {{ {verdicts} }}"


def _mark_outsiders(protocol: str, inside: Sequence[IPNetwork], cluster_ip: IPAddress) -> str:
    """Without a pod range nothing can be told apart and nothing is marked, as in kube-proxy."""
    if not inside:
        return ""
    ranges = ", ".join(map(str, inside))
    return f"{protocol} daddr {cluster_ip} {protocol} saddr != {{ {ranges} }} jump mark-for-masquerade"


def _from(protocol: str, inside: Sequence[IPNetwork]) -> str:
    return f"{protocol} saddr {{ {', '.join(map(str, inside))} }}"


def _rules(name: str, rules: Iterable[str]) -> str:
    return f"  chain {name} {{ {'; '.join(rule for rule in rules if rule)}; }}"


def _chain(role: str, port: ServicePort) -> str:
    return f"{role}-{_name(port.label)}"


def _endpoint(port: ServicePort, backend: Backend) -> str:
    return f"endpoint-{_name(f'{port.label}/{backend.address}/{backend.port}'.replace(':', '.'))}"


def _name(label: str) -> str:
    """Shorten a label to what a chain name may hold; the digest keeps it unique."""
    digest = hashlib.sha256(label.encode()).hexdigest()[:8]
    return f"{digest}-{label[:LONGEST_NAME].rstrip('/')}"
