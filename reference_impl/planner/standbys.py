"""Gateways that stand by: how members tell each other of them, so that a cable can move in one step.

One Endpoint per cluster is authoritative (L3-C3). It names the gateways that may follow it in an entry of
``backend_config``, a JSON list that those who do not know it pass on unread::

    standby-gateways: [{"hostname":"east-2","private_ip":"172.16.1.11","publicKey":"…"}]

Peers then take packets from these as well, and have keys and neighbour entries ready, but send them nothing until an
Endpoint of theirs takes the place of the first (docs/adr/0031).
"""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from reference_impl.names import PUBLIC_KEY
from reference_impl.protocols.objects import cable_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reference_impl.planner.claims import Claims
    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPAddress

STANDBY_GATEWAYS = "standby-gateways"
MOST = 4
"""Standby gateways that are named, at most: an entry of ``backend_config`` holds 1024 characters."""


def standby_parameter(siblings: Iterable[Endpoint]) -> Mapping[str, str]:
    """Return the entry of ``backend_config`` that names these gateways; none where there are none."""
    named = [_said(each) for each in sorted(siblings, key=lambda each: each.hostname)[:MOST]]
    return {STANDBY_GATEWAYS: json.dumps(named, separators=(",", ":"))} if named else {}


def _said(gateway: Endpoint) -> Mapping[str, str]:
    fields = {
        "hostname": gateway.hostname,
        "private_ip": str(gateway.private_ip),
        "public_ip": str(gateway.public_ip or ""),
        PUBLIC_KEY: gateway.parameter(PUBLIC_KEY),
    }
    return {name: text for name, text in fields.items() if text}


def named_standbys(peer: Endpoint) -> tuple[Endpoint, ...]:
    """Return the gateways that a peer's Endpoint names beside itself, each as its Endpoint would read.

    What cannot be read is not there: it costs that peer a slower failover, and nobody else anything.
    """
    found = []
    for hostname, private_ip, public_ip, key in _read(peer.parameter(STANDBY_GATEWAYS)):
        if private_ip.version == peer.private_ip.version and private_ip != peer.private_ip:
            others = {name: text for name, text in peer.parameters if name not in {STANDBY_GATEWAYS, PUBLIC_KEY}}
            parameters = frozenset((others | ({PUBLIC_KEY: key} if key else {})).items())
            found.append(
                replace(
                    peer,
                    cable_name=cable_name(peer.cluster_id, private_ip),
                    hostname=hostname,
                    private_ip=private_ip,
                    public_ip=public_ip,
                    parameters=parameters,
                    way=None,
                    standbys=(),
                )
            )
    return tuple(found)


def with_standbys(
    peers: Sequence[Endpoint], drivers: DriverSet, claimed: Claims, taken: Collection[str]
) -> tuple[Endpoint, ...]:
    """Return peers with those of their standby gateways that take nothing from anybody.

    ``taken`` holds the identities of all members' active gateways: a standby must be told from these and from every
    other one, and its address must not be a pod's. ``peers`` come by seniority.
    """
    identities = set(taken)
    found = []
    for peer in peers:
        kept = []
        for each in named_standbys(peer):
            identity, places = drivers.identity(each), {each.private_ip, each.tunnel_address}
            odd = drivers.objection(each) or any(
                (claim := claimed.overlapping(ip_network(place))) and claim[0] != peer.cluster_id for place in places
            )
            if not odd and identity not in identities:
                identities.add(identity)
                kept.append(each)
        found.append(replace(peer, standbys=tuple(kept)) if kept else peer)
    return tuple(found)


@functools.lru_cache(maxsize=1 << 10)
def _read(text: str) -> tuple[tuple[str, IPAddress, IPAddress | None, str], ...]:
    try:
        listed = json.loads(text) if text else []
        return tuple(_entry(each) for each in listed[:MOST])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _entry(said: Mapping[str, Any]) -> tuple[str, IPAddress, IPAddress | None, str]:
    private, public = (str(said.get(name, "")) for name in ("private_ip", "public_ip"))
    return (
        str(said["hostname"]),
        ip_address(private),
        ip_address(public) if public else None,
        str(said.get(PUBLIC_KEY, "")),
    )
