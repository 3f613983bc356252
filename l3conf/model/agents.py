"""Which containers are agents of an implementation, by their objects: the same on every ground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
"""Where a container has its credential for the API."""
SPARED_NAMESPACES = frozenset({"kube-system", "l3conf-probes", "l3conf-hosts"})
"""Namespaces whose pods no fault of agents touches: the cluster's own, and the suite's."""


def can_speak(container: Mapping[str, Any]) -> bool:
    """Say whether a container has a credential for its cluster's API."""
    return any(mount.get("mountPath") == TOKEN_MOUNT_PATH for mount in container.get("volumeMounts") or ())
