"""The nftables text by which a node enforces NetworkPolicies. Pure.

A pod's own namespace sees who its packets come from and, of direct ones, where they go. Where packets to a Service
really go is known only after its address was translated, which is on the node: they are judged there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from l3conf.model.topology import IPAddress, IPNetwork

TABLE = "l3conf-network-policy"
NONE = f"add table inet {TABLE}\ndelete table inet {TABLE}\n"
"""Takes the table away, whether or not it is there."""
_WORDS = {4: "ip", 6: "ip6"}
_FOLLOWING = "ct state established,related accept"
_NEIGHBOURS = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept"


def pod_table(
    ingress: Sequence[str] | None,
    egress: Sequence[str] | None,
    *,
    node: Iterable[IPAddress],
    services: Iterable[IPNetwork],
) -> str:
    """Return the table of a pod's namespace.

    ``ingress`` and ``egress`` hold what is allowed, None where the pod is not isolated. What comes from or goes to its
    own ``node`` is always allowed; what goes to ``services`` is left to the node.
    """
    hosts = [*node]
    chains = []
    if ingress is not None:
        chains.append(_chain("ingress", "input", [*_always("iifname", "saddr", hosts), *_accept(ingress), "drop"]))
    if egress is not None:
        left = [f"{_WORDS[each.version]} daddr {each} accept" for each in services]
        rules = [*_always("oifname", "daddr", hosts), *left, *_accept(egress), "drop"]
        chains.append(_chain("egress", "output", rules))
    return _table(chains)


def node_table(egress: Mapping[IPAddress, Sequence[str]]) -> str:
    """Return the table of a node: what those of its pods that are isolated may send to Services, by address."""
    chains, jumps = [], []
    for index, (address, matches) in enumerate(sorted(egress.items(), key=lambda item: (item[0].version, item[0]))):
        jumps.append(f"ct status dnat {_WORDS[address.version]} saddr {address} goto pod-{index}")
        chains.append(f"  chain pod-{index} {{\n" + _lines([*_accept(matches), "drop"]) + "  }\n")
    return _table([*chains, _chain("services", "forward", [_FOLLOWING, *jumps])])


def _always(interface: str, side: str, hosts: Sequence[IPAddress]) -> list[str]:
    own = [f"{_WORDS[host.version]} {side} {host} accept" for host in hosts]
    return [f'{interface} "lo" accept', _FOLLOWING, _NEIGHBOURS, *own]


def _accept(matches: Iterable[str]) -> list[str]:
    return [f"{match} accept".strip() for match in matches]


def _chain(name: str, hook: str, rules: Iterable[str]) -> str:
    head = f"type filter hook {hook} priority filter; policy accept;"
    return f"  chain {name} {{\n" + _lines([head, *rules]) + "  }\n"


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)


def _table(chains: Iterable[str]) -> str:
    return f"{NONE}table inet {TABLE} {{\n{''.join(chains)}}}\n"
