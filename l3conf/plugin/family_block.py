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


@contextmanager
def blocked(ground: Ground, source: ClusterSpec, gateways: Sequence[Node], family: IPFamily) -> Iterator[None]:
    """Block one family at these nodes while the context is open. ``LabError`` where a node has no ``nft``."""
    try:
        for node in gateways:
            _nft(ground, node, ruleset(source, family))
        yield
    finally:
        for node in gateways:
            _nft(ground, node, f"table inet {TABLE} {{ }}; delete table inet {TABLE}")


def _nft(ground: Ground, node: Node, script: str) -> None:
    code, _, err = ground.run(node.place, ["nft", script], timeout=_SECONDS)
    if code != 0:
        raise LabError(f"nft failed: {err.strip()}", where=node.place, remedy="a node needs nft for this fault")
