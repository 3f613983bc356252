"""Where each peer is sent to: candidates for discovery, and what its conclusion means for cables and status. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.planner.addresses import contains
from reference_impl.protocols.discovery import Candidate
from reference_impl.protocols.objects import Way, discovery_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.protocols.discovery import Conclusion
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPAddress, IPNetwork


def candidates(
    own: Sequence[IPNetwork], underlay: IPAddress, peers: Iterable[Endpoint], peer: Endpoint
) -> tuple[Candidate, ...]:
    """Return where a peer may be, the private address first.

    An address inside a prefix of ours or of another member is no candidate: what is sent there is for a pod.
    """
    port = discovery_port(peer)
    taken = [*own, *(subnet for other in peers if other.cluster_id != peer.cluster_id for subnet in other.subnets)]
    found = [
        Candidate(address=address, port=port, tunnel_port=peer.port, public=address == peer.public_ip)
        for address in dict.fromkeys((peer.private_ip, peer.public_ip))
        if address is not None and address.version == underlay.version and not contains(taken, address)
    ]
    return tuple(found) if port else ()


def located(peer: Endpoint, conclusion: Conclusion | None) -> Endpoint:
    """Return a peer with the way that discovery found; as it was where it found none."""
    found = conclusion.candidate if conclusion is not None else None
    if found is None:
        where = "public" if peer.tunnel_address == peer.public_ip else "private"
        way = Way(
            address=peer.tunnel_address,
            port=peer.port,
            reason="Published",
            message=f"its published {where} address, which has not answered discovery",
        )
        return replace(peer, way=way) if conclusion is not None else peer
    public = found.public and found.address != peer.private_ip
    way = Way(
        address=found.address,
        port=found.tunnel_port,
        reason="PublicAddress" if public else "PrivateAddress",
        message=f"its {'public' if public else 'private'} address, which answered discovery",
    )
    return replace(peer, way=way)


def actual(peers: Iterable[Endpoint], learnt: Mapping[str, tuple[IPAddress, int]]) -> tuple[Endpoint, ...]:
    """Return peers as the kernel really sends to them. ``learnt``: by cluster id, where it heard from them lately."""
    return tuple(_as_learnt(peer, learnt.get(peer.cluster_id)) for peer in peers)


def _as_learnt(peer: Endpoint, where: tuple[IPAddress, int] | None) -> Endpoint:
    if where is None or where == (peer.tunnel_address, peer.tunnel_port):
        return peer
    known = {peer.private_ip: "private", peer.public_ip: "public"}.get(where[0])
    message = f"its {known} address, learnt from its own packets" if known else "an address learnt from its own packets"
    return replace(peer, way=Way(address=where[0], port=where[1], reason="Learnt", message=message))
