"""Members that do not exist: their objects at the broker, as if they had joined, good ones and malformed ones.

Names, labels and fields are those of the wire (``submariner.io/v1``): nobody can tell them from a member's.
"""

from __future__ import annotations

import base64
import secrets
from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.exchange import published_keys
from l3conf.plugin.noise import making_noise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from l3conf.model.topology import IPNetwork
    from l3conf.plugin.cluster_api import ClusterAPI, Object
    from l3conf.plugin.noise import Noise

NAME = "l3conf-phantom"
COMMON = "submariner-k8s-broker"
CLUSTER_LABEL, _ORIGIN_LABEL = "submariner-io/clusterID", "submariner-io/originatingNamespace"

MALFORMED: Mapping[str, Mapping[str, Any]] = {
    "claims everything": {"subnets": ["0.0.0.0/0"]},
    "claims both halves of everything": {"subnets": ["0.0.0.0/1", "128.0.0.0/1"]},
    "claims loopback": {"subnets": ["127.0.0.0/8"]},
    "claims multicast": {"subnets": ["224.0.0.0/4"]},
    "claims the pods of others": {"subnets": ["10.1.0.0/16", "10.2.0.0/16"]},
    "claims the nodes of one": {"subnets": ["172.16.1.0/24"]},
    "claims the nodes of the other": {"subnets": ["172.16.2.0/24"]},
    "claims the network between sites": {"subnets": ["192.0.2.0/24"]},
    "is at a member's own node": {"private_ip": "172.16.1.11"},
    "is at a member's gateway": {"private_ip": "172.16.2.10"},
    "is nowhere": {"private_ip": "0.0.0.0"},  # noqa: S104 - no socket is bound
    "is on the loopback": {"private_ip": "127.0.0.1", "healthCheckIP": "127.0.0.1"},
    "is at a multicast address": {"private_ip": "224.0.0.1"},
    "has its health elsewhere": {"healthCheckIP": "255.255.255.255"},
    "has an unheard-of driver": {"backend": "carrier-pigeon"},
    "has strange settings": {"backend_config": {"publicKey": "AAAA", "udp-port": "4500", "x" * 63: "\u202e\u0001y"}},
    "has an endless name": {"hostname": "h" * 253, "cable_name": "c" * 253},
    "has no words": {"hostname": "", "cable_name": "", "backend": ""},
    "is not whole": {"subnets": None, "private_ip": None, "backend_config": None},
}
"""What can be wrong with an Endpoint on ``two-clusters``. Admission may refuse some: then they do no harm either."""


class Phantoms:
    """Phantoms at one broker; all of them are gone when the context is left."""

    def __init__(self, broker: ClusterAPI, backend: str, keys: Mapping[str, int]) -> None:
        """``backend``: the cable driver that they claim to have; ``keys``: the keys that they publish, in octets."""
        self._broker = broker
        self._backend = backend
        self._keys = keys
        self._count = 0
        self._claims: dict[str, tuple[IPNetwork, ...]] = {}

    @classmethod
    def like_members(cls, broker: ClusterAPI) -> Self:
        """Return phantoms that have the cable driver of those who are there, and a key wherever those publish one."""
        members = [obj for obj in broker.items(f"{GROUP}/endpoints") if not _owner(obj).startswith(NAME)]
        if not members:
            return cls(broker, "", {})
        config = members[0]["spec"].get("backend_config") or {}
        published = published_keys(_owner(members[0]), members[:1])
        keys = {field: len(base64.b64decode(value)) for field, value in config.items() if value in published}
        return cls(broker, members[0]["spec"].get("backend", ""), keys)

    def __enter__(self) -> Self:
        """Begin without any."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Take all of them out, and what an earlier run may have left."""
        for kind, obj in self._objects():
            if _owner(obj).startswith(NAME):
                self._delete(kind, obj)

    def join(self, name: str) -> None:
        """Put a well-formed phantom at the broker. ``AssertionError`` if the broker takes it for malformed."""
        for obj in self._make(f"{NAME}-{name}"):
            self._claims[name] = tuple(map(ip_network, obj["spec"].get("subnets") or ()))
            answer = self._plant(obj)
            assert answer, f"the broker refuses a well-formed {obj['kind']}: {answer}"  # noqa: S101

    def leave(self, name: str) -> None:
        """Take one out."""
        for kind, obj in self._objects():
            if _owner(obj) == f"{NAME}-{name}":
                self._delete(kind, obj)

    @contextmanager
    def noisy(self, name: str, rate: float) -> Iterator[Noise]:
        """Have one that has joined change its Endpoint so many times a second while the context is open.

        Its own, not the copies that a broker may have made for members.
        """
        own = [obj for kind, obj in self._objects() if kind == "endpoints" and _owner(obj) == f"{NAME}-{name}"]
        endpoint = next((obj for obj in own if obj["metadata"]["namespace"] == COMMON), own[0])
        path = f"{GROUP}/namespaces/{endpoint['metadata']['namespace']}/endpoints/{endpoint['metadata']['name']}"
        with making_noise(self._broker, path, rate) as noise:
            yield noise

    def claims(self, name: str) -> tuple[IPNetwork, ...]:
        """Return what one claims, or claimed when it last joined."""
        return self._claims[name]

    def join_malformed(self) -> list[str]:
        """Put every kind of malformed phantom there, each under a name of its own; return what the broker took."""
        return [
            fault
            for number, (fault, wrong) in enumerate(MALFORMED.items())
            if all(self._plant(obj) for obj in self._make(f"{NAME}-{number}", **wrong))
        ]

    def _make(self, cluster_id: str, **wrong: Any) -> Iterator[Object]:  # noqa: ANN401 - fields of an Endpoint
        """Yield Cluster and Endpoint. Addresses are of ranges for documentation and benchmarks (RFC 5737, 2544)."""
        self._count += 1
        services, pods = (f"198.18.{self._count}.{half}/25" for half in (0, 128))
        gateway = f"198.51.100.{self._count}"
        cable = f"submariner-cable-{cluster_id}-{gateway.replace('.', '-')}"
        yield _object(
            "Cluster",
            cluster_id,
            cluster_id,
            {"cluster_id": cluster_id, "service_cidr": [services], "cluster_cidr": [pods], "global_cidr": []},
        )
        endpoint = {
            "cluster_id": cluster_id,
            "cable_name": cable,
            "hostname": "phantom-1",
            "subnets": [services, pods],
            "private_ip": gateway,
            "public_ip": "",
            "healthCheckIP": pods.replace(".128/25", ".129"),
            "nat_enabled": False,
            "backend": self._backend,
            "backend_config": {"udp-port": "4500", **self._some_keys()},
        }
        spec = {field: value for field, value in {**endpoint, **wrong}.items() if value is not None}
        yield _object("Endpoint", f"{cluster_id}-{cable}", cluster_id, spec)

    def _some_keys(self) -> dict[str, str]:
        """Return keys whose private halves nobody has. Any 32 octets are a public key of X25519 (RFC 7748 clause 5)."""
        return {field: base64.b64encode(secrets.token_bytes(size)).decode() for field, size in self._keys.items()}

    def _plant(self, obj: Object) -> bool:
        """Put an object where the members' own are; ``LabError`` if there are none to tell where.

        If these have a namespace each, it goes into the common one, where the administrator is at home.
        """
        plural = f"{obj['kind'].lower()}s"
        namespaces = {one["metadata"]["namespace"] for one in self._broker.items(f"{GROUP}/{plural}")}
        if COMMON in namespaces:
            namespaces = {COMMON}
        if len(namespaces) != 1:
            raise LabError(f"members keep their {plural} in {len(namespaces)} namespaces", where="broker")
        return self._broker.request("POST", f"{GROUP}/namespaces/{namespaces.pop()}/{plural}", body=obj).ok

    def _objects(self) -> list[tuple[str, Object]]:
        return [(kind, obj) for kind in ("endpoints", "clusters") for obj in self._broker.items(f"{GROUP}/{kind}")]

    def _delete(self, kind: str, obj: Object) -> None:
        metadata = obj["metadata"]
        self._broker.request("DELETE", f"{GROUP}/namespaces/{metadata['namespace']}/{kind}/{metadata['name']}")


def _owner(obj: Object) -> str:
    return str((obj["metadata"].get("labels") or {}).get(CLUSTER_LABEL, ""))


def _object(kind: str, name: str, cluster_id: str, spec: Mapping[str, Any]) -> Object:
    labels = {CLUSTER_LABEL: cluster_id, _ORIGIN_LABEL: "submariner-operator"}
    return {
        "apiVersion": "submariner.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "spec": dict(spec),
    }
