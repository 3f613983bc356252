"""What a diagnosis rests on: everything that a member's API tells, read without trust. Values only."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Object: TypeAlias = dict[str, Any]


class Part(enum.Enum):
    """What is read. The value names it for people."""

    KINDS = "custom resource definitions"
    NAMESPACE = "namespace"
    NODES = "nodes"
    PODS = "pods"
    DAEMON_SETS = "DaemonSets"
    RIGHTS = "Roles, RoleBindings and ServiceAccounts"
    SETTINGS = "settings"
    CREDENTIAL = "the broker's Secret"
    OBJECTS = "Clusters, Endpoints, Gateways and RouteAgents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a member's API tells. Objects as JSON, read without trust."""

    now: float
    """Unix seconds."""
    kinds: frozenset[str] = frozenset()
    """Plurals of ``submariner.io`` that are served."""
    has_namespace: bool = True
    nodes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    daemon_sets: tuple[Object, ...] = ()
    rights: frozenset[str] = frozenset()
    """``Kind/name`` of Roles, RoleBindings, ServiceAccounts, ClusterRoles and ClusterRoleBindings."""
    settings: Mapping[str, str] | None = None
    """Data of the ConfigMap; None if there is none."""
    has_credential: bool = True
    credential_expires: float | None = None
    """Unix seconds at which the broker's token ends; None where it does not tell."""
    clusters: tuple[Object, ...] = ()
    endpoints: tuple[Object, ...] = ()
    gateways: tuple[Object, ...] = ()
    route_agents: tuple[Object, ...] = ()
    unread: Mapping[Part, str] = field(default_factory=dict)
    """What could not be read and why: nothing is concluded from its absence."""
