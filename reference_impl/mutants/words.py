"""Mutants of what is said: kinds, exchanged objects, statuses."""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.planner.exchange import Side, WriteVerb

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.planner.exchange import Write

Object: TypeAlias = dict[str, Any]


def without_route_agent_kind(objects: list[Object]) -> list[Object]:
    """Serve all kinds but RouteAgent."""
    return [obj for obj in objects if obj["metadata"]["name"] != "routeagents.submariner.io"]


def without_schemas(objects: list[Object]) -> list[Object]:
    """Replace every schema by one that takes anything."""
    return _with_schemas(objects, lambda _: {"type": "object", "x-kubernetes-preserve-unknown-fields": True})


def without_validations(objects: list[Object]) -> list[Object]:
    """Keep types and bounds but drop formats, patterns and rules, as the shipped CRDs have it."""
    return _with_schemas(objects, _types_only)


def with_public_address_demanded(objects: list[Object]) -> list[Object]:
    """Refuse Endpoints without a public address."""
    changed = copy.deepcopy(objects)
    for obj in changed:
        if obj["metadata"]["name"] == "endpoints.submariner.io":
            for version in obj["spec"]["versions"]:
                spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
                spec["required"] = [*spec.get("required", []), "public_ip"]
                spec["properties"]["public_ip"] = {"type": "string", "minLength": 7}
    return changed


def withhold_endpoints(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Exchange Clusters only."""
    return tuple(write for write in writes if write.obj["kind"] != "Endpoint")


def publish_one_endpoint() -> Callable[[tuple[Write, ...]], tuple[Write, ...]]:
    """Tell the broker of the first gateway, and of none after that."""
    first: set[str] = set()

    def is_withheld(write: Write) -> bool:
        if write.side is not Side.BROKER or write.obj["kind"] != "Endpoint":
            return False
        if not first:
            first.add(write.obj["metadata"]["name"])
        return write.verb is not WriteVerb.CREATE or write.obj["metadata"]["name"] not in first

    return lambda writes: tuple(write for write in writes if not is_withheld(write))


def without_status_subresource(objects: list[Object]) -> list[Object]:
    """Serve Clusters without ``/status``."""
    changed = copy.deepcopy(objects)
    for obj in changed:
        for version in obj.get("spec", {}).get("versions", ()) if obj["kind"] == "CustomResourceDefinition" else ():
            version.pop("subresources", None)
    return changed


def restamp(conditions: list[Object]) -> list[Object]:
    """Give every condition a time of its own with every writing."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [{**condition, "lastTransitionTime": now} for condition in conditions]


def restamp_status(status: Object) -> Object:
    """Do that to the conditions of a status."""
    return {**status, "conditions": restamp(status["conditions"])} if status.get("conditions") else status


def make_alike(conditions: list[Object]) -> list[Object]:
    """Answer every question as whether there is a connection is answered."""
    connected = next((one["status"] for one in conditions if one["type"] == "Connected"), "Unknown")
    return [{**condition, "status": connected} for condition in conditions]


def with_conditions_alike(status: Object) -> Object:
    """Do that to the conditions of a status."""
    return {**status, "conditions": make_alike(status["conditions"])} if status.get("conditions") else status


def withhold_versions(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Exchange Endpoints without what they say of the version."""
    return tuple(replace(write, obj=_without_version(write.obj)) for write in writes)


def _without_version(obj: Object) -> Object:
    config = obj.get("spec", {}).get("backend_config")
    if not config:
        return obj
    kept = {name: value for name, value in config.items() if name != "agent-version"}
    return {**obj, "spec": {**obj["spec"], "backend_config": kept}}


def claim_connections(status: Object) -> Object:
    """Say connected about everybody, asked or not."""
    claimed = copy.deepcopy(status)
    for entry in _entries(claimed):
        entry |= {"status": "connected", "statusMessage": "round trip confirmed"}
    return claimed


def remember_connections() -> Callable[[Object], Object]:
    """Say connected about everybody who ever was."""
    seen: set[str] = set()

    def status_of(status: Object) -> Object:
        claimed = copy.deepcopy(status)
        for entry in _entries(claimed):
            cluster_id = (entry.get("endpoint") or entry.get("spec") or {}).get("cluster_id", "")
            if entry["status"] == "connected":
                seen.add(cluster_id)
            elif cluster_id in seen:
                entry |= {"status": "connected", "statusMessage": "round trip confirmed"}
        return claimed

    return status_of


def remember_at_one_end() -> Callable[[Object], Object]:
    """Say connected about everybody who ever was, but only in clusters that come before their peers."""
    remembered = remember_connections()

    def status_of(status: Object) -> Object:
        own = (status.get("localEndpoint") or {}).get("cluster_id", "")
        peers = [(entry.get("endpoint") or {}).get("cluster_id", "") for entry in status.get("connections") or []]
        claimed = remembered(status)
        return claimed if all(own < peer for peer in peers) else status

    return status_of


def remember_settings() -> Callable[[Object], Object]:
    """Go on saying of oneself whatever was ever said: a merge patch takes back only what it names."""
    said: dict[str, object] = {}

    def status_of(status: Object) -> Object:
        claimed = copy.deepcopy(status)
        local = claimed.get("localEndpoint")
        if local:
            said.update(local.get("backend_config") or {})
            local["backend_config"] = dict(said)
        return claimed

    return status_of


def remember_losses() -> Callable[[Object], Object]:
    """Say error about everybody who ever was lost."""
    lost: set[str] = set()

    def status_of(status: Object) -> Object:
        claimed = copy.deepcopy(status)
        for entry in _entries(claimed):
            cluster_id = (entry.get("endpoint") or entry.get("spec") or {}).get("cluster_id", "")
            if entry["status"] == "error":
                lost.add(cluster_id)
            elif cluster_id in lost:
                entry |= {"status": "error", "statusMessage": "given up"}
        return claimed

    return status_of


def date_ahead(seconds: int) -> int:
    """Say that a report was made in an hour."""
    return seconds + 3600


def trip_over_prefixes(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Fall over an Endpoint with a prefix that is no member's."""
    for write in writes:
        for subnet in write.obj.get("spec", {}).get("subnets") or ():
            if not ip_network(subnet).is_private:
                raise RuntimeError(f"{subnet} was not expected")
    return writes


def _entries(status: Object) -> list[Object]:
    return [*(status.get("connections") or []), *(status.get("remoteEndpoints") or [])]


def _with_schemas(objects: list[Object], change: Callable[[Object], Object]) -> list[Object]:
    changed = copy.deepcopy(objects)
    for obj in changed:
        if obj["kind"] == "CustomResourceDefinition":
            for version in obj["spec"]["versions"]:
                version["schema"] = {"openAPIV3Schema": change(version["schema"]["openAPIV3Schema"])}
    return changed


def _types_only(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    if isinstance(schema, dict):
        dropped = {"x-kubernetes-validations", "minItems"}
        dropped |= {key for key in ("pattern", "format") if isinstance(schema.get(key), str)}
        return {key: _types_only(value) for key, value in schema.items() if key not in dropped}
    return [_types_only(item) for item in schema] if isinstance(schema, list) else schema
