"""What the lab's networks, containers and clusters are called, and by which labels they are known to be ours. Pure.

::

    l3conf-<lab>-wan          network      l3conf-<lab>-<site>          network, and cluster of kind
    l3conf-<lab>-outsider     container    l3conf-<lab>-<site>-router   container
    l3conf-<lab>-broker       cluster of kind on the WAN

kind puts no labels of ours on its nodes: they are ours because the network that they are on says so.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.labs.kind.settings import KindSettings
    from l3conf.model.topology import Topology

MANAGED_LABEL, MANAGED_VALUE = "app.kubernetes.io/managed-by", "l3conf"
LAB_LABEL = "l3conf.io/lab"
"""Which lab: the same for the same topology and settings, so that a later run finds it."""
ROLE_LABEL = "l3conf.io/role"
"""``site``, ``wan``, ``router``, ``outsider``, ``node`` or ``capture``."""
SITE_LABEL = "l3conf.io/site"
CLUSTER_LABEL = "l3conf.io/kind-cluster"
"""On networks: the cluster of kind whose nodes are on it."""
OWNER_LABEL = "l3conf.io/owner"
"""Machine, boot and network namespace of the run that made it (``claim``)."""
KIND_CLUSTER_LABEL, KIND_ROLE_LABEL = "io.x-k8s.kind.cluster", "io.x-k8s.kind.role"
"""Labels that kind puts on nodes (kind, pkg/cluster/internal/providers/docker/constants.go)."""
BROKER = "broker"
WAN = "wan"
OUTSIDER = "outsider"
_LONGEST_SITE = 36
"""``l3conf-`` and ``-control-plane`` around it leave a host name of 63."""
_LABEL = re.compile(r"l3conf-[0-9a-f]{8}-[a-z0-9-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of one lab."""

    lab: str
    """8 hexadecimal digits."""
    owner: str
    sites: tuple[str, ...]

    @property
    def wan(self) -> str:
        """The network between the sites."""
        return self._of(WAN)

    @property
    def outsider(self) -> str:
        """The host on the WAN that belongs to no cluster."""
        return self._of(OUTSIDER)

    @property
    def broker(self) -> str:
        """The cluster of kind in which the broker is."""
        return self._of(BROKER)

    def cluster(self, site: str) -> str:
        """Return the cluster of kind on a site; its network has the same name."""
        # A cluster may be called as the broker, the WAN or the outsider is; and names may be too long for a host's.
        if len(site) <= _LONGEST_SITE and site not in {BROKER, WAN, OUTSIDER}:
            return self._of(site)
        return self._of(f"site{self.sites.index(site)}")

    def router(self, site: str) -> str:
        """Return the container between a site and the WAN."""
        return f"{self.cluster(site)}-router"

    def node(self, site: str, place: int) -> str:
        """Return the node of kind that stands for the one at ``place`` of a topology's, from 0."""
        return f"{self.cluster(site)}-worker{place + 1 if place else ''}"

    def labels(self, role: str, site: str = "", cluster: str = "") -> dict[str, str]:
        """Return the labels of something that the lab makes."""
        own = {MANAGED_LABEL: MANAGED_VALUE, LAB_LABEL: self.lab, ROLE_LABEL: role, OWNER_LABEL: self.owner}
        return own | ({SITE_LABEL: site} if site else {}) | ({CLUSTER_LABEL: cluster} if cluster else {})

    def _of(self, what: str) -> str:
        return f"l3conf-{self.lab}-{what}"


def names_of(topology: Topology, settings: KindSettings, owner: str) -> Names:
    """Return the names of the lab with that topology and those settings."""
    sites = tuple(cluster.name for cluster in topology.clusters)
    return Names(lab=lab_digest(topology, settings, owner.partition(":")[0]), owner=owner, sites=sites)


def lab_digest(topology: Topology, settings: KindSettings, machine: str) -> str:
    """Return 8 digits that are the same where a machine's runs would make clusters alike; images are loaded anew."""
    said = f"{machine} {topology!r} {(settings.cni, settings.cni_manifests, settings.node_image)!r}"
    return hashlib.sha256(said.encode()).hexdigest()[:8]


def is_ours(labels: Mapping[str, str]) -> bool:
    """Say whether something bears the labels of a lab."""
    return labels.get(MANAGED_LABEL) == MANAGED_VALUE and bool(labels.get(LAB_LABEL))


def may_be_removed(name: str, labels: Mapping[str, str]) -> bool:
    """Say whether a cluster of kind that a label names can be one of a lab's; a label alone could name anybody's."""
    return is_ours(labels) and _LABEL.fullmatch(name) is not None and name.startswith(f"l3conf-{labels[LAB_LABEL]}-")
