"""Every name and number that this implementation leaves in a kernel or an API. Pure constants.

What is ours can be told from these alone: a device by its name, a route or rule by its protocol number, a table
of rules by its name, an object by its namespace or labels. Nothing that lacks such a mark is ever changed.
"""

from __future__ import annotations

from typing import Final

API_GROUP: Final = "submariner.io"
API_VERSION: Final = "v1"
MEMBER_NAMESPACE: Final = "submariner-operator"
BROKER_NAMESPACE: Final = "submariner-k8s-broker"

BROKER_SECRET: Final = "submariner-broker"  # noqa: S105 - the name of an object
"""Secret of a member: how it reaches the broker, and as whom."""

ROTATE_KEYS: Final = "submariner.io/rotate-keys"
"""Annotation of a member's own Cluster, in the member: its gateway makes a new key whenever the value changes."""
KEY_LIFETIME: Final = 30 * 24 * 3600
"""Seconds after which a gateway makes a new key by itself."""
HOLDER: Final = "submariner.io/held-by"
"""Annotation of a member's account at the broker: UID of the namespace kube-system of the cluster that it is for."""

CONTESTED: Final = "submariner.io/contested-by"
CREATED: Final = "submariner.io/created-at-broker"
"""Annotation of a member's Lease at the broker: who else presents its identity."""
PAIR_POLICY: Final = "submariner.io/connection-policy"
"""Annotation of another member's Cluster, in the member: ``Isolated: …`` or ``Conflicted: …`` where the broker's
ClusterConnectionPolicies do not connect the pair. What was decided last holds while the broker is out of reach."""
PAIR_DRIVER: Final = "submariner.io/cable-driver"
"""Annotation of the same: the cable driver that they name for the pair."""
COPIED: Final = "submariner.io/copy-of"
"""Annotation of a copy at the broker: the member whose object it is."""
MAILBOX: Final = "submariner.io/mailbox-of"
"""Label of a namespace at the broker: the member whose mailbox it is."""
MAILBOX_PREFIX: Final = "submariner-mailbox-"
BROKER_SIDE: Final = "submariner.io/broker-namespace"
"""Annotation of pods that speak to the broker: their namespace there."""
BROKER_AGENT: Final = "submariner-broker"
"""Deployment, account and roles at the broker of the program that fills mailboxes."""
HEARTBEATS: Final = "submariner-heartbeats"
"""ConfigMap in a mailbox: the Leases of the members that may be seen, by cluster id."""
CLUSTER_ID_LABEL: Final = "submariner-io/clusterID"
"""On an object that travelled through the broker: the member it belongs to."""
ORIGIN_LABEL: Final = "submariner-io/originatingNamespace"
GATEWAY_LABEL: Final = "submariner.io/gateway"
UPDATE_TIMESTAMP: Final = "update-timestamp"
"""Annotation of Gateway and RouteAgent: Unix seconds of the last report."""
GATEWAY_LEASE: Final = "submariner-gateway-lock"
CLEANUP_RECORD: Final = "submariner-cleanup"
"""ConfigMap in which nodes report that they are clean."""
PROGRAMMED: Final = "submariner.io/programmed"
"""Annotation of the ClusterRole ``submariner-nodes``: nodes may hold kernel state of ours, and of which cable drivers
(its value). Set before the first agent
starts, taken away when all nodes are clean; being cluster-scoped it outlives a namespace deleted by hand."""
CARRIER_REVISION: Final = "submariner.io/carrier-revision"
"""Annotation of a DaemonSet whose pods carry packets: they are replaced only where this changes. "1" where it lacks."""
NODES_ROLE: Final = "submariner-nodes"
IMPLEMENTATION: Final = "reference-impl"
"""What this implementation calls itself towards peers, before its version."""
CLUSTER_ID_PROPERTY: Final = "cluster.clusterset.k8s.io"
CLUSTER_SET_PROPERTY: Final = "clusterset.k8s.io"
"""ClusterProperties of KEP-2149: who this cluster is, and which cluster set it is a member of."""
GLOBAL_RANGES: Final = "submariner-global-ranges"
"""ConfigMap at the broker: the global ranges of every member, by cluster id. Members have no right to it."""
GLOBAL_LEDGER: Final = "submariner-global-addresses"
"""ConfigMap in a member: who has which global addresses, and which were given back lately."""
CLUSTER_EGRESS: Final = "cluster-egress.submariner.io"
"""The one ClusterGlobalEgressIP that counts."""
ENDPOINT_ADDRESS: Final = "submariner.io/headless-svc-endpoints-ip"
"""Annotation of a GlobalIngressIP with ``target: HeadlessServiceEndpoints``, as established: which one is meant."""
IMPORTED_SERVICE: Final = "multicluster.kubernetes.io/service-name"
SOURCE_CLUSTER: Final = "multicluster.kubernetes.io/source-cluster"
"""On an EndpointSlice of an imported Service: which Service, and who exports it (KEP-1645). At the broker the first is
on all that is offered, beside cluster id and namespace of origin."""
SLICE_MANAGER: Final = "endpointslice.kubernetes.io/managed-by"
EXPORTED: Final = "submariner.io/exported-at"
"""Annotation of a Service that a member offers at the broker: when it was exported. The oldest export counts."""
DESERTED: Final = "submariner.io/no-ready-endpoints"
"""Annotation ``true`` of such a Service behind whose addresses nobody is ready: others are to be preferred."""
METRICS_PORT: Final = 32780
HANDOVER_PORT: Final = 32781
"""UDP, between the gateway nodes of one cluster (``protocols.handover``)."""
"""TCP port of a gateway node where the agent's metrics are, as established."""
MANAGED_BY: Final = "submariner-reference"
"""Field manager of every write, and label ``app.kubernetes.io/managed-by`` of what the hooks create."""

NODE_DEVICE: Final = "vx-submariner"
NODE_VNI: Final = 100
NODE_PORT: Final = 4800
"""Tunnels between the nodes of one cluster."""
CABLE_DEVICE: Final = "vxlan-tunnel"
CABLE_VNI: Final = 1000
CABLE_PORT: Final = 4500
"""Tunnels between the gateways of two clusters."""
DISCOVERY_PORT: Final = 4490
"""UDP port of NAT discovery, unless the node says otherwise."""
VXLAN_OVERHEAD: Final = {4: 50, 6: 70}
"""Outer IP (by version), UDP, VXLAN and inner Ethernet headers, in bytes (RFC 7348)."""

ROUTING_TABLE: Final = 150
RULE_PRIORITY: Final = 150
"""After the local table (0), before main (32766)."""
ROUTE_AGENT_PROTOCOL: Final = 150
GATEWAY_PROTOCOL: Final = 151
GLOBAL_PROTOCOL: Final = 153
"""Route protocol numbers (``rtm_protocol``): who put a route or rule there. Unassigned in rtnetlink.h."""
CABLE_METRIC: Final = 50
NODE_METRIC: Final = 100
STANDBY_METRIC: Final = 200
FLOOR_METRIC: Final = 1000
"""A cable beats the way to the gateway, which beats the cable of a gateway that stands by, which beats "unreachable":
all four may stand at once."""

NODE_TABLE: Final = "submariner"
CABLE_TABLE: Final = "submariner-cable"
TRAFFIC_TABLE: Final = "submariner-traffic"
GLOBAL_TABLE: Final = "submariner-global"
"""nftables tables, family inet."""

VXLAN_BACKEND: Final = "vxlan"
WIREGUARD_BACKEND: Final = "wireguard"
IPSEC_BACKEND: Final = "libreswan"
"""``Endpoint.spec.backend``. IPsec goes by the name of the daemon that carried it first; IKE does not care."""
CABLE_DRIVERS: Final = "cable-drivers"
"""Entry of ``Endpoint.spec.backend_config`` of members that speak several: ``libreswan:4500,vxlan:4502``."""
SHARED_PORTS: Final = {IPSEC_BACKEND: CABLE_PORT, WIREGUARD_BACKEND: CABLE_PORT + 1, VXLAN_BACKEND: CABLE_PORT + 2}
"""Ports of the built-in drivers on gateways that run several of them; IKE's is the daemon's. One alone has 4500."""
WIREGUARD_DEVICE: Final = "submariner"
WIREGUARD_SECOND_DEVICE: Final = "submariner-2"
"""The one of gateways that stand by, or stood by when they took over (``reference_impl.planner.lanes``)."""
WIREGUARD_SECOND_PORT: Final = CABLE_PORT + 3
"""Where the second device listens. Nobody else sees it: on the wire there is the first one's port."""
WIREGUARD_OVERHEAD: Final = {4: 80, 6: 80}
"""Outer IP, UDP, WireGuard header and tag: 60 and 80 bytes. 80 always, as everybody's default of 1420 has it, so that
both ends agree and a path that turns to IPv6 on its way still carries the packets."""
WIREGUARD_KEEPALIVE: Final = 10
"""Seconds. Shorter than the 30 s after which the most forgetful NATs drop a mapping."""
IPSEC_DEVICE: Final = "ipsec0"
"""libipsec names its TUN device itself; the interface of the kernel's ESP gets the same name."""
IPSEC_OVERHEAD: Final = {4: 100, 6: 100}
"""ESP with AES-GCM in UDP adds 62 and 82 bytes (RFC 4303, 4106, 3948). 100, so that an underlay of 1500 bytes gives
the 1400 that libipsec reads at most from its device."""
IPSEC_LARGEST: Final = 1400
"""MTU above which libipsec cuts packets off (its read buffer, libcharon/plugins/kernel_libipsec)."""
IPSEC_INTERFACE_ID: Final = 150
"""Ties security policies of the kernel to the device (XFRMA_IF_ID)."""
ADDRESS_LABEL: Final = 45000
"""Label of the device's IPv6 addresses, which no other address has (``ip addrlabel``, RFC 6724 section 5, rule 6)."""
IPSEC_ROUTING_TABLE: Final = 152
IPSEC_RULE_PRIORITY: Final = 40000
"""Where charon may keep the routes that libipsec insists on: behind every other table, so that nothing finds them."""
PUBLIC_KEY: Final = "publicKey"
"""Entry of ``Endpoint.spec.backend_config``: an X25519 public key in base64, WireGuard's or IPsec's."""
NODE_DIRECTORY: Final = "/run/submariner"
"""Directory of the host, with one directory a node in it: key and socket of a cable driver."""
CABLE_DRIVER_GROUP: Final = "reference_impl.cable_drivers"
"""Entry point group in which installed packages offer further cable drivers."""
