"""Members whose secret or whose name is not what they say: made at the broker, by its administrator.

What stands at the broker is what others believe of a member. So a member gets a wrong secret by having another key
published for it than it has, and borrows an identity by an object that it seems to have written in another one's name.
The member itself must be cut off from the broker meanwhile, or it would put things right.
"""

from __future__ import annotations

import base64
import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.errors import LabError
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.exchange import published_keys
from l3conf.plugin.phantoms import CLUSTER_LABEL

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from l3conf.plugin.cluster_api import ClusterAPI, Object

FORGED = "l3conf-forged"


@contextmanager
def other_keys_published(
    broker: ClusterAPI, member: str, generator: random.Random, *, home: str = ""
) -> Iterator[None]:
    """Publish other keys for a member than it has, of the same length, while the context is open.

    ``home``: the namespace of the broker where the member writes; all if it is not known. Skips the test if the member
    publishes none: then nothing at the broker says what its secret is.
    """
    changed = []
    for endpoint in _endpoints(broker, member, home):
        keys = published_keys(member, [endpoint])
        before = endpoint["spec"].get("backend_config") or {}
        after = {name: _another(value, generator) if value in keys else value for name, value in before.items()}
        if after != before:
            changed.append((endpoint, before, after))
    if not changed:
        pytest.skip(f"{member} publishes no key in its Endpoints")
    try:
        for endpoint, _, after in changed:
            _write(broker, endpoint, after)
        yield
    finally:
        for endpoint, before, _ in changed:
            _write(broker, endpoint, before)


@contextmanager
def name_borrowed(broker: ClusterAPI, writer: str, victim: str, *, home: str = "") -> Iterator[None]:
    """Let one member's gateway stand at the broker as another member's, as if it had written so itself.

    Key and addresses are the writer's own; id and subnets are the victim's. ``home`` is where the writer writes.
    """
    (own, *_), (other, *_) = _endpoints(broker, writer, home), _endpoints(broker, victim)
    metadata = {"name": f"{FORGED}-{victim}", "namespace": own["metadata"]["namespace"]}
    labels = {**(own["metadata"].get("labels") or {}), CLUSTER_LABEL: writer}
    spec = {**own["spec"], "cluster_id": victim, "subnets": other["spec"]["subnets"]}
    head = {"apiVersion": own["apiVersion"], "kind": own["kind"]}
    path = f"{GROUP}/namespaces/{metadata['namespace']}/endpoints"
    made = broker.request("POST", path, body={**head, "metadata": {**metadata, "labels": labels}, "spec": spec})
    if not made.ok:
        raise LabError(f"the administrator cannot write an Endpoint: {made.message}", where="broker")
    try:
        yield
    finally:
        broker.request("DELETE", f"{path}/{metadata['name']}")


def _endpoints(broker: ClusterAPI, member: str, home: str = "") -> list[Object]:
    """Return a member's Endpoints at the broker, in one namespace or in all; there is at least one."""
    path = f"{GROUP}/namespaces/{home}/endpoints" if home else f"{GROUP}/endpoints"
    found = [obj for obj in broker.items(path) if obj["spec"].get("cluster_id") == member]
    if not found:
        raise AssertionError(f"the broker has no Endpoint of {member}")
    return found


def _another(key: str, generator: random.Random) -> str:
    return base64.b64encode(generator.randbytes(len(base64.b64decode(key)))).decode()


def _write(broker: ClusterAPI, endpoint: Object, config: dict[str, Any]) -> None:
    metadata = endpoint["metadata"]
    path = f"{GROUP}/namespaces/{metadata['namespace']}/endpoints/{metadata['name']}"
    patch = {"spec": {"backend_config": copy.deepcopy(config)}}
    answer = broker.request("PATCH", path, body=patch, content_type="application/merge-patch+json")
    if not answer.ok:
        raise LabError(f"the administrator cannot change {metadata['name']}: {answer.message}", where="broker")
