"""Objects of the API as a test would write them: every field set, and the same with one value that is wrong.

They are made in the suite's own namespace, which no implementation watches, under a cluster id and documentation
ranges (RFC 5737) that no cluster set has.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.expectations.places import NAMESPACE

if TYPE_CHECKING:
    from l3conf.plugin.cluster_api import Object

SAMPLE_ID = "l3conf-sample"
PLURALS = {"Cluster": "clusters", "Endpoint": "endpoints", "Gateway": "gateways", "RouteAgent": "routeagents"}

_ENDPOINT = {
    "cluster_id": SAMPLE_ID,
    "cable_name": f"submariner-cable-{SAMPLE_ID}-192-0-2-77",
    "hostname": "sample-node",
    "subnets": ["198.51.100.0/25", "203.0.113.0/24"],
    "private_ip": "192.0.2.77",
    "public_ip": "198.51.100.200",
    "healthCheckIP": "203.0.113.1",
    "nat_enabled": True,
    "backend": "vxlan",
    "backend_config": {"udp-port": "4500", "natt-discovery-port": "4490", "preferred-server": "false"},
}
_CLUSTER = {
    "cluster_id": SAMPLE_ID,
    "color_codes": ["blue"],
    "service_cidr": ["198.51.100.0/25"],
    "cluster_cidr": ["203.0.113.0/24"],
    "global_cidr": ["198.51.100.128/25"],
}
_POLICY = {
    "left": {"matchLabels": {"submariner-io/clusterID": SAMPLE_ID}},
    "right": {"matchExpressions": [{"key": "l3conf.io/sample", "operator": "In", "values": ["one", "other"]}]},
    "action": "Connect",
    "cableDriver": "vxlan",
}
_RTT = {"last": "1.2ms", "min": "1ms", "average": "1.1ms", "max": "2ms", "stdDev": "100µs"}
_GATEWAY = {
    "version": "v0",
    "haStatus": "passive",
    "localEndpoint": _ENDPOINT,
    "statusFailure": "",
    "connections": [
        {
            "status": "connecting",
            "statusMessage": "a sample",
            "endpoint": _ENDPOINT,
            "usingIP": "192.0.2.77",
            "usingNAT": False,
            "latencyRTT": _RTT,
        }
    ],
}
_ROUTE_AGENT = {
    "version": "v0",
    "statusFailure": "",
    "remoteEndpoints": [{"status": "none", "statusMessage": "a sample", "spec": _ENDPOINT, "latencyRTT": _RTT}],
}


@dataclass(frozen=True, slots=True)
class BadValue:
    """One value that the API must refuse."""

    kind: str
    field: str
    value: Any
    why: str

    def __str__(self) -> str:
        """Return the value as a test's parameter is named."""
        return f"{self.kind}-{self.why.replace(' ', '-')}"

    def make(self) -> Object:
        """Return the sample of its kind with this value in it."""
        obj = sample(self.kind)
        obj["spec"][self.field] = self.value
        return obj


BAD_VALUES = (
    BadValue("Cluster", "cluster_cidr", ["not-a-cidr"], "no CIDR"),
    BadValue("Cluster", "cluster_cidr", ["203.0.113.0/33"], "prefix too long"),
    BadValue("Cluster", "service_cidr", ["300.51.100.0/24"], "octet above 255"),
    BadValue("Cluster", "cluster_cidr", ["203.0.113.5/24"], "host bits set"),
    BadValue("Cluster", "global_cidr", ["198.51.100.129/25"], "global range with host bits set"),
    BadValue("Endpoint", "subnets", [], "no subnets"),
    BadValue("Endpoint", "subnets", ["203.0.113.0"], "subnet without prefix length"),
    BadValue("Endpoint", "subnets", ["203.0.113.1/24"], "subnet with host bits set"),
    BadValue("Endpoint", "healthCheckIPs", ["203.0.113.1", "203.0.113.2"], "one family twice"),
    BadValue("Endpoint", "private_ip", "192.0.2.256", "private address that is none"),
    BadValue("Endpoint", "backend_config", {"udp-port": "0"}, "port 0"),
    BadValue("Endpoint", "backend_config", {"udp-port": "65536"}, "port 65536"),
    BadValue("Endpoint", "backend_config", {"udp-port": "http"}, "port that is no number"),
)
"""What L3-A2 lists, in every field where it can occur."""


def sample(kind: str, **spec: object) -> Object:
    """Return an object of a kind with every field set; ``spec`` replaces fields of its specification."""
    bodies: dict[str, dict[str, Any]] = {
        "Cluster": {"spec": _CLUSTER},
        "ClusterConnectionPolicy": {"spec": _POLICY},
        "Endpoint": {"spec": _ENDPOINT},
        "Gateway": {"status": _GATEWAY},
        "RouteAgent": {"status": _ROUTE_AGENT},
    }
    made = {
        "apiVersion": "submariner.io/v1",
        "kind": kind,
        "metadata": {"name": SAMPLE_ID, "namespace": NAMESPACE},
        **copy.deepcopy(bodies[kind]),
    }
    if spec:
        made["spec"] |= spec
    return made
