"""One address family of one cluster's pods and Services blocked at another's gateways, inside whatever tunnel.

The wide-area network cannot do that: it sees outer packets, and both families may travel in one tunnel. What comes out
of a tunnel passes the gateway node's netfilter, so a table of ours there drops it: everything that has a source of the
one cluster in that family. The other family, the tunnel itself and all other traffic are left alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from l3conf.expectations import Node
    from l3conf.labs.base import Lab as Ground
    from l3conf.model.topology import ClusterSpec

TABLE = "l3conf-block"
_WORDS = {IPFamily.IPV4: "ip", IPFamily.IPV6: "ip6"}
_SECONDS = 5.0
_NATT_PORT = 4500


def ruleset(source: ClusterSpec, family: IPFamily) -> str:
    """Return the nftables text that drops what has a source in a cluster's ranges of one family."""
    ranges = [prefix for prefix in (*source.pod_cidrs, *source.service_cidrs) if IPFamily.of(prefix) is family]
    sources = ", ".join(map(str, ranges))
    return f"""table inet {TABLE} {{
    chain prerouting {{
        type filter hook prerouting priority raw - 5; policy accept;
        {_WORDS[family]} saddr {{ {sources} }} counter drop
    }}
}}"""


def association_ruleset(association: int) -> str:
    """Return the nftables text that drops ESP with one security parameters index, plain or in UDP (RFC 3948)."""
    return f"""table inet {TABLE} {{
    chain prerouting {{
        type filter hook prerouting priority raw - 5; policy accept;
        esp spi {association} counter drop
        udp dport {_NATT_PORT} @th,64,32 {association} counter drop
    }}
}}"""


@contextmanager
def blocked(ground: Ground, gateways: Sequence[Node], rules: str) -> Iterator[None]:
    """Have rules of ``TABLE`` in force at nodes while the context is open. ``LabError`` where one has no ``nft``."""
    try:
        for node in gateways:
            _nft(ground, node, rules)
        yield
    finally:
        for node in gateways:
            _nft(ground, node, f"table inet {TABLE} {{ }}; delete table inet {TABLE}")


def _nft(ground: Ground, node: Node, script: str) -> None:
    code, _, err = ground.run(node.place, ["nft", script], timeout=_SECONDS)
    if code != 0:
        raise LabError(f"nft failed: {err.strip()}", where=node.place, remedy="a node needs nft for this fault")
