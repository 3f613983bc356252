"""What NetworkPolicies allow a pod, as nftables matches. Pure.

A pod that no policy selects for a direction is not isolated in it. One that some do may do what at least one rule of
one of them allows, and get answers to it. Rules add up; nothing is ever denied by one.
"""

from __future__ import annotations

from collections import defaultdict
from ipaddress import ip_address, ip_network
from itertools import product
from typing import TYPE_CHECKING, Any

from l3conf.emulator.controllers.selectors import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from l3conf.model.topology import IPAddress

    Object = Mapping[str, Any]

INGRESS, EGRESS = "Ingress", "Egress"
_PEERS = {INGRESS: "from", EGRESS: "to"}
_SIDES = {INGRESS: "saddr", EGRESS: "daddr"}
_WORDS = {4: "ip", 6: "ip6"}


def allowed(
    pod: Object, direction: str, policies: Iterable[Object], pods: Sequence[Object], namespaces: Iterable[Object]
) -> list[str] | None:
    """Return the matches of which a new connection of a pod must meet one; None if the pod is not isolated.

    ``direction`` is ``INGRESS`` or ``EGRESS``; ``pods`` and ``namespaces`` are all of the cluster. "" matches all.
    """
    labels = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in namespaces}
    selecting = [policy for policy in policies if _selects(policy, pod) and direction in _types(policy)]
    if not selecting:
        return None
    found = [
        match
        for policy in sorted(selecting, key=lambda policy: str(policy["metadata"]["name"]))
        for rule in policy["spec"].get(direction.lower()) or ()
        for match in _matches(rule, policy, pod, direction, pods, labels)
    ]
    return list(dict.fromkeys(found))


def addresses_of(pod: Object) -> list[IPAddress]:
    """Return the addresses that a pod has by now."""
    return [ip_address(entry["ip"]) for entry in (pod.get("status") or {}).get("podIPs") or ()]


def is_subject(pod: Object) -> bool:
    """Say whether policies are about a pod at all: it has addresses of its own, and runs or will."""
    phase = (pod.get("status") or {}).get("phase")
    return not pod["spec"].get("hostNetwork") and phase not in {"Succeeded", "Failed"} and bool(addresses_of(pod))


def _types(policy: Object) -> Sequence[str]:
    return list(policy["spec"].get("policyTypes") or (INGRESS,))


def _selects(policy: Object, pod: Object) -> bool:
    same = policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return same and matches(policy["spec"].get("podSelector") or {}, pod["metadata"].get("labels") or {})


def _matches(
    rule: Object,
    policy: Object,
    pod: Object,
    direction: str,
    pods: Sequence[Object],
    labels: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """Return the matches of one rule: each kind of peer with each kind of port."""
    listed, side = rule.get(_PEERS[direction]) or [], _SIDES[direction]
    blocks = [_block(peer["ipBlock"], side) for peer in listed if "ipBlock" in peer]
    named = [other for other in pods if any(_is_peer(peer, policy, other, labels) for peer in listed)]
    ports = rule.get("ports") or []
    plain = [_port(port) for port in ports if not isinstance(port.get("port"), str)]
    peers = [*blocks, *_hosts(named, side)] if listed else [""]
    found = [f"{peer} {port}".strip() for peer, port in product(peers, plain if ports else [""])]
    for port in ports:
        if isinstance(port.get("port"), str):
            servers = [pod] if direction == INGRESS else (named if listed else [*filter(is_subject, pods)])
            found += _by_name(port, servers, side, peers if direction == INGRESS else None)
    return found


def _is_peer(peer: Object, policy: Object, pod: Object, labels: Mapping[str, Mapping[str, str]]) -> bool:
    if "ipBlock" in peer or not is_subject(pod):
        return False
    namespace = pod["metadata"]["namespace"]
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"] or {}, labels.get(namespace, {})):
            return False
    elif namespace != policy["metadata"]["namespace"]:
        return False
    return matches(peer.get("podSelector") or {}, pod["metadata"].get("labels") or {})


def _block(block: Object, side: str) -> str:
    network = ip_network(block["cidr"], strict=False)
    word = f"{_WORDS[network.version]} {side}"
    excepted = ", ".join(sorted(block.get("except") or ()))
    return f"{word} {network}" + (f" {word} != {{ {excepted} }}" if excepted else "")


def _hosts(pods: Iterable[Object], side: str) -> list[str]:
    by_version: dict[int, list[IPAddress]] = defaultdict(list)
    for pod in pods:
        for address in addresses_of(pod):
            by_version[address.version].append(address)
    return [
        f"{_WORDS[version]} {side} {{ {', '.join(map(str, sorted(found, key=int)))} }}"
        for version, found in sorted(by_version.items())
    ]


def _port(port: Object) -> str:
    protocol = str(port.get("protocol") or "TCP").lower()
    number, last = port.get("port"), port.get("endPort")
    if number is None:
        return f"meta l4proto {protocol}"
    return f"{protocol} dport {number}" + (f"-{last}" if last else "")


def _by_name(port: Object, servers: Iterable[Object], side: str, peers: Sequence[str] | None) -> list[str]:
    """Return matches of a port that is given by name: what it is depends on the pod that serves it.

    ``peers``: what else must match; None: the serving pod itself is the peer.
    """
    found = []
    for server in servers:
        numbers = sorted(
            entry["containerPort"]
            for container in server["spec"].get("containers") or ()
            for entry in container.get("ports") or ()
            if entry.get("name") == port["port"] and entry.get("protocol", "TCP") == port.get("protocol", "TCP")
        )
        where = _hosts([server], side) if peers is None else peers
        found += [f"{peer} {_port({**port, 'port': number})}".strip() for peer, number in product(where, numbers)]
    return found
