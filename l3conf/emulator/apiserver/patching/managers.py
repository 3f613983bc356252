"""``metadata.managedFields``: who owns which fields, read and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from l3conf.emulator.apiserver.patching.field_paths import Path, from_fields_v1, to_fields_v1

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

APPLY, UPDATE = "Apply", "Update"


@dataclass(frozen=True, slots=True)
class Manager:
    """One owner. The same name may own fields once by applying and once by updating."""

    name: str
    operation: str
    """``Apply`` or ``Update``."""
    api_version: str
    subresource: str = ""


Ownership: TypeAlias = dict[Manager, frozenset[Path]]


def read(obj: Mapping[str, Any] | None) -> Ownership:
    """Return who owns what in an object."""
    return {_manager(entry): from_fields_v1(entry.get("fieldsV1") or {}) for entry in _entries(obj)}


def last_time(obj: Mapping[str, Any] | None, manager: Manager) -> str:
    """Return when the manager last changed something; "" if never or unknown."""
    return next((str(entry.get("time", "")) for entry in _entries(obj) if _manager(entry) == manager), "")


def written(
    obj: dict[str, Any], owners: Ownership, before: Mapping[str, Any] | None, writer: Manager | None, now: datetime
) -> dict[str, Any]:
    """Return ``obj`` with managedFields for ``owners``.

    Managers whose fields are as ``before`` keep their time, except ``writer``, who changed a value (None: nobody did).
    """
    known = read(before)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = [
        _entry(
            manager, paths, last_time(before, manager) if known.get(manager) == paths and manager != writer else stamp
        )
        for manager, paths in owners.items()
        if paths
    ]
    entries.sort(key=lambda entry: (entry["operation"], entry["time"], entry["manager"], entry["apiVersion"]))
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"}
    if entries:
        metadata["managedFields"] = entries
    return {**obj, "metadata": metadata}


def shown(obj: Mapping[str, Any] | None, manager: Manager) -> str:
    """Return a manager as conflicts print it: ``"kubectl-edit" using apps/v1 at 2024-01-01T00:00:00Z``."""
    text = f'"{manager.name}"'
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    if manager.operation == UPDATE:
        time = last_time(obj, manager)
        text += f" using {manager.api_version}" + (f" at {time}" if time else "")
    return text


def _entries(obj: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = ((obj or {}).get("metadata") or {}).get("managedFields") or []
    return entries


def _manager(entry: Mapping[str, Any]) -> Manager:
    name, operation, version = (str(entry.get(key, "")) for key in ("manager", "operation", "apiVersion"))
    return Manager(name, operation, version, str(entry.get("subresource", "")))


def _entry(manager: Manager, paths: Collection[Path], time: str) -> dict[str, Any]:
    entry = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields_v1(paths),
    }
    return {**entry, "subresource": manager.subresource} if manager.subresource else entry
