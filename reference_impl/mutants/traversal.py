"""Mutants of how peers are found through NATs. Each takes peers with the ways that were found, and worsens them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.protocols.objects import Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.mutants import Place, Ways


def private_addresses(peers: Ways, _claimed: Mapping[str, Place]) -> Ways:
    """Send to private addresses, whatever was found."""
    return tuple(
        replace(peer, way=Way(address=peer.private_ip, port=peer.port, reason="PrivateAddress", message="by rule"))
        for peer in peers
    )


def whoever_speaks(peers: Ways, claimed: Mapping[str, Place]) -> Ways:
    """Send to where the last discovery message came from, proved or not."""
    return tuple(
        replace(
            peer,
            way=Way(address=claimed[peer.cluster_id][0], port=peer.port, reason="Learnt", message="it said so"),
        )
        if peer.cluster_id in claimed
        else peer
        for peer in peers
    )
