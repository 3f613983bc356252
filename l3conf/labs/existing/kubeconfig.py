"""One context of the caller's kubeconfig as a file of its own, for the suite and for hooks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from l3conf.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTIONS = ("clusters", "users", "contexts")
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""Fields that name files, relative to the kubeconfig."""


def read_kubeconfig(path: Path | None, env: Mapping[str, str]) -> dict[str, Any]:
    """Return a kubeconfig, or those that kubectl would merge: of two entries of one name the first counts.

    ``UserError`` if none can be read.
    """
    named = [path] if path else [Path(text) for text in env.get("KUBECONFIG", "").split(os.pathsep) if text]
    paths = named or [Path.home() / ".kube" / "config"]
    merged: dict[str, Any] = {section: [] for section in _SECTIONS}
    present = [one for one in paths if path or one.is_file()]
    if not present:
        remedy = "name one with --kubeconfig, or set KUBECONFIG"
        raise UserError("there is no kubeconfig", where=", ".join(map(str, paths)), remedy=remedy)
    for one in present:
        try:
            content = yaml.safe_load(one.read_text(encoding="utf-8")) or {}
            for section in _SECTIONS:
                known = {entry["name"] for entry in merged[section]}
                entries = [_absolute(entry, one.parent) for entry in content.get(section) or []]
                merged[section] += [entry for entry in entries if entry["name"] not in known]
        except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise UserError(f"this kubeconfig cannot be read: {error}", where=str(one)) from error
    return merged


def only(kubeconfig: Mapping[str, Any], context: str) -> dict[str, Any]:
    """Return the part of a kubeconfig that one context needs; ``UserError`` names the contexts that there are. Pure."""
    found = _entry(kubeconfig, "contexts", context)
    if found is None:
        known = ", ".join(sorted(entry["name"] for entry in kubeconfig["contexts"])) or "none"
        raise UserError(f"there is no context {context!r}", where="--contexts", remedy=f"your kubeconfig has: {known}")
    spec = _content(found, "context", context)
    cluster, user = (_entry(kubeconfig, f"{kind}s", str(spec.get(kind, ""))) for kind in ("cluster", "user"))
    if cluster is None or user is None:
        raise UserError(f"context {context!r} names a cluster or user that is not there", where="kubeconfig")
    if not _content(cluster, "cluster", context).get("server"):
        raise UserError(f"the cluster of context {context!r} has no server", where="kubeconfig")
    _content(user, "user", context)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [cluster],
        "users": [user],
        "contexts": [found],
    }


def _content(entry: Mapping[str, Any], kind: str, context: str) -> Mapping[str, Any]:
    content = entry.get(kind)
    if not isinstance(content, dict):
        raise UserError(f"the {kind} {entry['name']!r} of context {context!r} says nothing", where="kubeconfig")
    return content


def server_of(kubeconfig: Mapping[str, Any]) -> str:
    """Return the address of the API server of a kubeconfig with one context."""
    return str(kubeconfig["clusters"][0]["cluster"].get("server", ""))


def write_private(path: Path, kubeconfig: Mapping[str, Any]) -> Path:
    """Write a kubeconfig that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(dict(kubeconfig), sort_keys=False), encoding="utf-8")
    return path


def _entry(kubeconfig: Mapping[str, Any], section: str, name: str) -> dict[str, Any] | None:
    return next((entry for entry in kubeconfig[section] if entry["name"] == name), None)


def _absolute(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return an entry whose files can be found from anywhere."""
    return {
        key: {name: str(folder / item) if name in _FILES and item else item for name, item in value.items()}
        if isinstance(value, dict)
        else value
        for key, value in entry.items()
    }
