"""What is wrong with connections, from what the active gateway says of them. Pure.

Reasons are the agents' own (``planner.conditions``, ``planner.membership``, ``planner.obstacles``); here stands what
an operator does about each.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import CLUSTER_ID_LABEL, MEMBER_NAMESPACE
from reference_impl.planner.addresses import LEAST_IPV6
from reference_impl.planner.finding import Finding, Weight, entries, mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object: TypeAlias = dict[str, Any]
_LEAST = 576
"""Octets that a path must carry (RFC 791); over IPv6 it is more."""
REMEDIES: Mapping[str, str] = {
    "DriverMismatch": f"set cable-driver in {MEMBER_NAMESPACE}/submariner-settings so that both have one in common",
    "OverlappingCIDR": "give one of the two other pod or service CIDRs; the older claim stands until then",
    "IPFamilyMismatch": "the two members share no IP version: give one of them the other's",
    "IdentityConflict": "two members say that they are the same: revoke one, and join it under a name of its own",
    "VersionSkewUnsupported": "upgrade the older one of the two",
    "Malformed": "the peer publishes what cannot be read: its operator must correct it",
    "AuthenticationFailed": "the two do not have the same keys: rotate them, or join the peer again",
    "NATNotCrossed": "set cable-driver to wireguard or libreswan at both members, or forward the port at the NAT",
    "NoAnswer": "pass the tunnel's UDP port at both sites; behind NAT use wireguard or libreswan",
    "NotProgrammed": "the kernel of the gateway node refuses the plan: load the module that it names",
    "SubTunnelDown": "look at the logs of both gateway agents and of the IKE daemons",
}
"""By reason."""


def connection_findings(
    gateway: Object, route_agents: Iterable[Object], settings: Mapping[str, Any]
) -> Iterable[Finding]:
    """Return what is wrong with a gateway that leads, with its connections, and with nodes behind it."""
    status, name = mapping(gateway.get("status")), gateway["metadata"]["name"]
    yield from _failure(str(status.get("statusFailure") or ""), name)
    up: set[str] = set()
    local = mapping(status.get("localEndpoint"))
    for entry in entries(status.get("connections")):
        cluster = str(mapping(entry.get("endpoint")).get("cluster_id") or "?")
        if entry.get("status") == "connected":
            up.add(cluster)
            yield from _mtu(entry, cluster)
        else:
            yield _broken(entry, cluster, local, settings)
    yield from _nodes(route_agents, up)


def member_findings(
    clusters: Iterable[Object], endpoints: Iterable[Object], leaders: Iterable[Object], settings: Mapping[str, Any]
) -> Iterable[Finding]:
    """Return what is wrong between members, of which no gateway speaks."""
    own = str(settings.get("cluster-id") or "")
    spoken_of = {
        str(mapping(entry.get("endpoint")).get("cluster_id"))
        for obj in leaders
        for entry in entries(mapping(obj.get("status")).get("connections"))
    }
    listed = list(clusters)
    owners = {str(mapping(obj.get("spec")).get("cluster_id")) for obj in endpoints}
    others = {str(mapping(obj.get("spec")).get("cluster_id")): obj for obj in listed if _is_foreign(obj)}
    for cluster in sorted(others.keys() - spoken_of - {own}):
        what = "nobody connects to it" if cluster in owners else "its gateway has published no Endpoint"
        yield Finding(
            code="NoEndpoint" if cluster not in owners else "NotConnected",
            where=f"member {cluster}",
            what=f"the broker knows it, but {what}",
            remedy=f"diagnose {cluster} itself: its gateway node, its agents, its way to the broker",
        )
    for cluster, obj in sorted(others.items()):
        yield from _silent(cluster, obj)
    if not others:
        yield Finding(
            weight=Weight.WARNING,
            code="NoMembers",
            where="clusters",
            what="no other member is known here",
            remedy="join another cluster; if there is one, this one's way to the broker is broken",
        )
    yield from _overlaps(own, listed)


def _silent(cluster: str, obj: Object) -> Iterable[Finding]:
    """Find a member that has stopped renewing its Lease at the broker: it may be gone, or only cut off from there."""
    for condition in entries(mapping(obj.get("status")).get("conditions")):
        if condition.get("type") == "Alive" and condition.get("status") != "True":
            yield Finding(
                weight=Weight.WARNING,
                code=str(condition.get("reason") or "NotAlive"),
                where=f"member {cluster}",
                what=str(condition.get("message") or "its heartbeat at the broker is missing"),
                remedy=f"diagnose {cluster} itself; if it is gone for good, revoke it",
            )


def _failure(failure: str, gateway: str) -> Iterable[Finding]:
    for part in filter(None, failure.split("; ")):
        if part.startswith("broker: "):
            why = part.removeprefix("broker: ").rstrip(": ")
            yield Finding(
                code="BrokerUnreachable",
                where=f"gateway {gateway}",
                what=f"the broker cannot be read: {why}; connections go on, news do not come",
                remedy=f"check the way to {MEMBER_NAMESPACE}/submariner-settings broker-server; 401 or 403: join again",
            )
        else:
            yield Finding(
                code="GatewayFailure",
                where=f"gateway {gateway}",
                what=part,
                remedy=f"kubectl -n {MEMBER_NAMESPACE} logs -l app=submariner-gateway",
            )


def _broken(entry: Mapping[str, Any], cluster: str, local: Mapping[str, Any], settings: Mapping[str, Any]) -> Finding:
    message = str(entry.get("statusMessage") or "no reason is given")
    reason, _, words = message.partition(": ")
    if reason in REMEDIES:
        return Finding(code=reason, where=f"connection to {cluster}", what=words or message, remedy=REMEDIES[reason])
    if _both_hidden(local, mapping(entry.get("endpoint"))):
        return Finding(
            code="NATWithoutPublicAddress",
            where=f"connection to {cluster}",
            what=f"both gateways are behind NATs and neither publishes a public address; {message}",
            remedy="annotate a gateway node with gateway.submariner.io/public-ip, or set relay to true",
        )
    if "ours are lost" in message:
        return Finding(
            code="OneDirectionLost",
            where=f"connection to {cluster}",
            what=message,
            remedy=f"look at firewalls and routes from this site to {cluster}: UDP of the tunnel, in that direction",
        )
    driver = str(mapping(entry.get("endpoint")).get("backend") or settings.get("cable-driver") or "?")
    never = entry.get("status") == "connecting"
    return Finding(
        code="NeverConnected" if never else "ConnectionLost",
        where=f"connection to {cluster}",
        what=f"{message} (cable driver {driver})",
        remedy=f"diagnose {cluster} as well; check that UDP of the tunnel passes between the gateways, both ways",
    )


def _both_hidden(local: Mapping[str, Any], remote: Mapping[str, Any]) -> bool:
    return all(end.get("nat_enabled") and not end.get("public_ip") for end in (local, remote))


def _mtu(entry: Mapping[str, Any], cluster: str) -> Iterable[Finding]:
    mtu = entry.get("mtu")
    subnets = mapping(entry.get("endpoint")).get("subnets")
    least = LEAST_IPV6 if ":" in str(subnets) else _LEAST
    if isinstance(mtu, int) and mtu < least:
        yield Finding(
            weight=Weight.WARNING,
            code="MTUTooSmall",
            where=f"connection to {cluster}",
            what=f"packets of {mtu} bytes fit, and every path must carry {least}",
            remedy="raise the MTU of the link between the gateways; a cable takes 50 to 100 bytes of it",
        )


def _nodes(route_agents: Iterable[Object], up: set[str]) -> Iterable[Finding]:
    """Find nodes that do not reach a peer which the gateway does reach: the way between node and gateway is broken."""
    for obj in route_agents:
        status, name = mapping(obj.get("status")), obj["metadata"]["name"]
        if status.get("statusFailure"):
            yield Finding(
                code="NodeFailure",
                where=f"node {name}",
                what=str(status["statusFailure"]),
                remedy=f"kubectl -n {MEMBER_NAMESPACE} logs -l app=submariner-routeagent",
            )
        silent = sorted(
            cluster
            for each in entries(status.get("remoteEndpoints"))
            for cluster in [str(mapping(each.get("spec")).get("cluster_id"))]
            if cluster in up and each.get("status") in {"error", "connecting"}
        )
        if silent:
            yield Finding(
                code="NodeCutOff",
                where=f"node {name}",
                what=f"the gateway reaches {', '.join(silent)}, this node does not",
                remedy="pass UDP 4800 between the nodes of the cluster; look for policies that drop forwarded packets",
            )


def _overlaps(own: str, clusters: Iterable[Object]) -> Iterable[Finding]:
    """Find overlapping members also where the gateway could not tell yet."""
    claims = [
        (str(spec.get("cluster_id")), network)
        for obj in clusters
        for spec in [mapping(obj.get("spec"))]
        for key in ("cluster_cidr", "service_cidr")
        for network in _networks(spec.get(key))
    ]
    mine = [network for cluster, network in claims if cluster == own]
    for cluster, network in claims:
        clash = next(
            (one for one in mine if cluster != own and one.version == network.version and one.overlaps(network)), None
        )
        if clash is not None:
            yield Finding(
                code="OverlappingCIDR",
                where=f"member {cluster}",
                what=f"its {network} overlaps our {clash}",
                remedy=REMEDIES["OverlappingCIDR"],
            )


def _networks(values: object) -> Iterable[Any]:
    for text in values if isinstance(values, list) else []:
        try:
            yield ip_network(str(text), strict=False)
        except ValueError:
            continue


def _is_foreign(obj: Object) -> bool:
    return CLUSTER_ID_LABEL in mapping(obj["metadata"].get("labels"))
