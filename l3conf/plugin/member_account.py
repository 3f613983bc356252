"""A member as the broker sees it: requests made with the member's own credential, judged beside the administrator's.

A refusal proves something only if the same request is sound: so each attempt is first made by the administrator, as
a server-side dry run, and must be accepted. Nothing here ever changes an object of the implementation.
"""

from __future__ import annotations

import base64
import copy
import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from l3conf.errors import LabError
from l3conf.plugin.cluster_api import GROUP, HTTP_CONFLICT, ClusterAPI
from l3conf.plugin.recorder import UNSUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from l3conf.adapter.broker_access import BrokerAccess
    from l3conf.plugin.cluster_api import Answer, Object

KINDS = ("clusters", "endpoints")
"""What members keep at the broker."""
LEASES, COORDINATION = "leases", "/apis/coordination.k8s.io/v1"
"""Where members may have heartbeats, each named after its member (L3-C4)."""
HTTP_UNAUTHORIZED = 401
_TRIES = 5
_INCONCLUSIVE = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Answers that say nothing of rights."""
_MERGE, _APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
_HEAD = ("apiVersion", "kind")
_MARK = {"l3conf.io/attempt": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request that writes, as a dry run."""

    words: str
    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict)

    def by(self, api: ClusterAPI) -> Answer:
        """Make it with somebody's credential."""
        query = {"dryRun": "All", **self.query}
        return api.request(self.method, self.path, body=self.body, content_type=self.content_type, **query)

    def onto(self, obj: Object) -> Attempt:
        """Return the same request about an object as it stands now."""
        metadata = {**self.body["metadata"], "resourceVersion": (obj.get("metadata") or {}).get("resourceVersion")}
        return replace(self, body={**self.body, "metadata": metadata})


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAccount:
    """A member's credential at the broker, and the administrator's beside it."""

    member: str
    namespace: str
    api: ClusterAPI
    admin: ClusterAPI

    def objects_of(self, owner: str) -> list[tuple[str, Object]]:
        """Return what the broker has of a cluster, with the plural of its kind, as the administrator sees it.

        In all namespaces: where members have one each, others have copies.
        """
        return [
            (kind, obj)
            for kind in KINDS
            for obj in self.admin.items(f"{GROUP}/{kind}")
            if obj["spec"].get("cluster_id") == owner
        ]

    def writes(self, owner: str) -> list[str]:
        """Return the writes to a cluster's objects, and in its name, that this member is allowed.

        ``LabError`` if there is nothing to write to, or the administrator may not do it either.
        """
        objects = self.objects_of(owner)
        if {kind for kind, _ in objects} != {*KINDS}:
            raise LabError(f"the broker does not hold both kinds of {owner}: nothing can be tried", where="broker")
        attempts = [attempt for kind, obj in objects for attempt in self._attempts(GROUP, kind, obj)]
        attempts += [
            attempt for lease in self._leases_of(owner) for attempt in self._changes(COORDINATION, LEASES, lease)
        ]
        return [attempt.words for attempt in attempts if self.allowed(attempt)]

    def allowed(self, attempt: Attempt) -> bool:
        """Say whether the member may do what the administrator may. ``AssertionError`` for a credential of nobody."""
        control = self._try(attempt, self.admin)
        if not control.ok:
            raise LabError(f"the administrator was refused as well: {attempt.words}: {control.message}", where="broker")
        answer = self._try(attempt, self.api)
        if answer.status == HTTP_UNAUTHORIZED:
            raise AssertionError(f"the broker does not know the credential of {self.member}: {answer.message}")
        if answer.status in _INCONCLUSIVE:
            raise LabError(f"{attempt.words} was answered {answer.status}: {answer.message}", where="broker")
        return answer.ok

    def _try(self, attempt: Attempt, api: ClusterAPI) -> Answer:
        """Make a request; again if the object was changed by its owner between our look and our write."""
        answer = attempt.by(api)
        for _ in range(_TRIES):
            if attempt.method != "PUT" or answer.status != HTTP_CONFLICT:
                break
            answer = attempt.onto(self.admin.get(attempt.path)).by(api)
        return answer

    def _leases_of(self, owner: str) -> list[Object]:
        """Return a cluster's heartbeat at the broker, if it has one there."""
        listed = self.admin.items(f"{COORDINATION}/{LEASES}")
        places = {obj["metadata"]["namespace"] for _, obj in self.objects_of(owner)}
        head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        return [
            {**head, **lease}
            for lease in listed
            if lease["metadata"]["name"] == owner and lease["metadata"]["namespace"] in places
        ]

    def _attempts(self, group: str, kind: str, obj: Object) -> Iterator[Attempt]:
        yield from self._changes(group, kind, obj)
        name, where = obj["metadata"]["name"], obj["metadata"]["namespace"]
        path = f"{group}/namespaces/{where}/{kind}"
        what, head = f"{self.member}: create one more like {kind}/{name}", {key: obj[key] for key in _HEAD}
        for other in (f"{name}-2", f"{self.member}-2"):
            metadata = {"name": other, "namespace": where, "labels": obj["metadata"].get("labels") or {}}
            forged = {**head, "metadata": metadata, "spec": obj["spec"]}
            yield Attempt(words=f"{what}, named {other}", method="POST", path=path, body=forged)

    def _changes(self, group: str, kind: str, obj: Object) -> Iterator[Attempt]:
        name, path = obj["metadata"]["name"], f"{group}/namespaces/{obj['metadata']['namespace']}/{kind}"
        what, one = f"{self.member}: %s {kind}/{name}", f"{path}/{name}"
        changed = copy.deepcopy(obj)
        changed["metadata"]["annotations"] = {**(obj["metadata"].get("annotations") or {}), **_MARK}
        changed["metadata"].pop("managedFields", None)
        head = {key: obj[key] for key in _HEAD}
        patch = {"metadata": {"annotations": _MARK}}
        manager = {"fieldManager": "l3conf", "force": "true"}
        if kind != LEASES:  # it is renewed all the time: what is read of it is old when it is written
            yield Attempt(words=what % "update", method="PUT", path=one, body=changed)
        yield Attempt(words=what % "patch", method="PATCH", path=one, body=patch, content_type=_MERGE)
        yield Attempt(
            words=what % "apply", method="PATCH", path=one, body={**head, **patch}, content_type=_APPLY, query=manager
        )
        yield Attempt(words=what % "delete", method="DELETE", path=one)
        selector = {"fieldSelector": f"metadata.name={name}"}
        yield Attempt(words=what % "delete collection", method="DELETE", path=path, query=selector)

    def is_accepted(self) -> bool:
        """Say whether the broker still lets this member read what members read there."""
        return any(self.api.request("GET", f"{GROUP}/namespaces/{self.namespace}/{kind}").ok for kind in KINDS)

    # Secrets.

    @contextmanager
    def others_secret(self, name: str = "l3conf-of-another-member") -> Iterator[str]:
        """Keep a Secret at the broker that is not this member's, and return what is in it."""
        word = base64.b64encode(b"nobody but its owner reads this").decode()
        path = f"/api/v1/namespaces/{self.namespace}/secrets"
        metadata = {"name": name, "namespace": self.namespace}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"key": word}}
        made = self.admin.request("POST", path, body=body)
        if not made.ok:
            raise LabError(f"a Secret cannot be made: {made.message}", where="broker")
        try:
            yield word
        finally:
            self.admin.request("DELETE", f"{path}/{name}")

    def reads(self, wanted: Mapping[str, str]) -> list[str]:
        """Return where this member, with its credential, reads a value; ``wanted``: value → whose it is.

        Everything is read that the broker serves and the member may list, in each namespace and in all, and every
        Secret by its name. ``AssertionError`` if it reads nothing at all: then it proves nothing.
        """
        found: list[str] = []
        answered = 0
        for path in self._readable_paths():
            answer = self.api.request("GET", path)
            if answer.ok:
                answered += 1
                text = json.dumps(answer.body)
                found += [
                    f"{self.member} reads {whose} at {path}"
                    for value, whose in wanted.items()
                    if json.dumps(value)[1:-1] in text
                ]
        assert answered, f"{self.member} can read nothing at the broker"  # noqa: S101 - a finding of the suite
        return found

    def _readable_paths(self) -> Iterator[str]:
        for secret in self.admin.items("/api/v1/secrets"):
            metadata = secret["metadata"]
            yield f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
        namespaces = [obj["metadata"]["name"] for obj in self.admin.items("/api/v1/namespaces")] or [self.namespace]
        groups = self.admin.get("/apis")["groups"]
        for prefix in ("/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)):
            for resource in self.admin.get(prefix)["resources"]:
                if "list" in resource["verbs"] and "/" not in resource["name"]:
                    yield f"{prefix}/{resource['name']}"
                    if resource["namespaced"]:
                        yield from (f"{prefix}/namespaces/{each}/{resource['name']}" for each in namespaces)

    def close(self) -> None:
        """Close connections."""
        self.api.close()


def open_account(
    member: str, access: BrokerAccess | None, *, home: ClusterAPI, broker: ClusterAPI, admin: Path, target: Path
) -> MemberAccount:
    """Return a member's account; the row is unsupported if its ``join`` named no credential.

    ``admin`` is the administrator's kubeconfig at the broker, whose address and authority serve the member too;
    ``target`` is where a kubeconfig for it may be written.
    """
    if access is None:
        pytest.skip(f"{UNSUPPORTED}the join hook names no credential of {member} at the broker (brokerAccess)")
    kubeconfig = access.kubeconfig
    if kubeconfig is None:
        kubeconfig = target
        target.touch(mode=0o600)
        target.write_text(yaml.safe_dump(_with_token(admin, _token(access, home))), encoding="utf-8")
    api = ClusterAPI(f"broker, as {member}", kubeconfig, timeout=broker.timeout, under_test=True)
    return MemberAccount(member=member, namespace=access.namespace, api=api, admin=broker)


def _token(access: BrokerAccess, home: ClusterAPI) -> str:
    namespace, name = access.secret or ("", "")
    path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
    try:
        data = home.get(path).get("data") or {}
        return base64.b64decode(data[access.token_key]).decode()
    except LookupError:
        message = f"there is no key {access.token_key} in Secret {namespace}/{name}, which the join hook named"
        raise AssertionError(message) from None


def _with_token(admin: Path, token: str) -> dict[str, Any]:
    """Return the administrator's kubeconfig with another user in it."""
    config: dict[str, Any] = yaml.safe_load(admin.read_text(encoding="utf-8"))
    context = next(one for one in config["contexts"] if one["name"] == config["current-context"])["context"]
    config["users"] = [{"name": context["user"], "user": {"token": token}}]
    return config


SHORTEST = 16
"""Bytes of the shortest value that counts as confidential: names, ports and flags are shorter."""
_PUBLIC = b"-----BEGIN CERTIFICATE-----"


def confidential(owner: ClusterAPI, *, beside: ClusterAPI) -> dict[str, str]:
    """Return what is in a cluster's Secrets and not in another's, plain and in base64, with whose it is."""
    known = {value for _, value in _values(beside)}
    found: dict[str, str] = {}
    for where, value in _values(owner):
        if len(value) >= SHORTEST and value not in known and not value.startswith(_PUBLIC):
            found[base64.b64encode(value).decode()] = f"{where} of {owner.name}"
            if value.isascii():
                found[value.decode()] = f"{where} of {owner.name}"
    return found


def _values(api: ClusterAPI) -> Iterator[tuple[str, bytes]]:
    for secret in api.items("/api/v1/secrets"):
        metadata = secret["metadata"]
        for key, text in (secret.get("data") or {}).items():
            yield f"Secret {metadata['namespace']}/{metadata['name']}[{key}]", base64.b64decode(text)
