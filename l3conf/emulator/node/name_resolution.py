"""``/etc/hosts`` and ``/etc/resolv.conf`` of a pod. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.node.environment import hostname

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.emulator.node.context import ClusterDNS

_HOSTS_HEAD = """# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
_CLUSTER_OPTION = "ndots:5"


def hosts_file(pod: Mapping[str, Any], addresses: Sequence[str], dns: ClusterDNS) -> str:
    """Return the hosts file: the pod's own name, and its ``hostAliases``."""
    spec, name = pod["spec"], hostname(pod)
    names = name
    if subdomain := spec.get("subdomain"):
        names = f"{name}.{subdomain}.{pod['metadata']['namespace']}.svc.{dns.domain}\t{name}"
    lines = [f"{address}\t{names}" for address in addresses]
    lines += [f"{alias['ip']}\t{' '.join(alias.get('hostnames') or ())}" for alias in spec.get("hostAliases") or ()]
    return _HOSTS_HEAD + "".join(f"{line}\n" for line in lines)


def resolv_conf(pod: Mapping[str, Any], dns: ClusterDNS) -> str | None:
    """Return the resolver's configuration; None where the pod keeps the node's (``dnsPolicy: Default``)."""
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    if policy not in {"Default", "None"} and not dns.servers:
        policy = "Default"
    extra = spec.get("dnsConfig") or {}
    if policy == "Default" and not extra:
        return None
    servers, searches, options = _of_policy(policy, pod["metadata"]["namespace"], dns)
    servers += extra.get("nameservers") or []
    searches += extra.get("searches") or []
    merged = dict(options) | {item["name"]: item.get("value") for item in extra.get("options") or ()}
    spelt = [name if value is None else f"{name}:{value}" for name, value in merged.items()]
    lines = [f"nameserver {server}" for server in dict.fromkeys(servers)]
    lines += [f"search {' '.join(dict.fromkeys(searches))}"] if searches else []
    lines += [f"options {' '.join(spelt)}"] if spelt else []
    return "".join(f"{line}\n" for line in lines)


def _of_policy(policy: str, namespace: str, dns: ClusterDNS) -> tuple[list[str], list[str], dict[str, str | None]]:
    if policy in {"Default", "None"}:
        return [], [], {}
    searches = [f"{namespace}.svc.{dns.domain}", f"svc.{dns.domain}", dns.domain]
    name, _, value = _CLUSTER_OPTION.partition(":")
    return [str(server) for server in dns.servers], searches, {name: value}
