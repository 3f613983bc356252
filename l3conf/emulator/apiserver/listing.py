"""Lists: selection, pages and the resourceVersion that they are true at."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, NamedTuple

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.selectors import parse_field_selector, parse_label_selector
from l3conf.emulator.apiserver.store import Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.apiserver.options import ListQuery
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.store import Store
    from l3conf.emulator.cluster_api import Object


class Page(NamedTuple):
    """Objects of a list, shared with the store, and how to go on."""

    items: list[Object]
    version: int
    token: str = ""
    """``continue``; empty on the last page."""
    remaining: int = 0


def matcher(resource: Resource, namespace: str | None, labels: str, fields: str) -> Callable[[Object], bool]:
    """Return the test that objects of a list or watch must pass."""
    by_label = parse_label_selector(labels)
    selectable = resource.custom.selectable if resource.custom else resource.fields
    by_field = parse_field_selector(fields, ("metadata.name", "metadata.namespace", *selectable))

    def matches(obj: Object) -> bool:
        if namespace is not None and obj["metadata"].get("namespace") != namespace:
            return False
        return by_label.matches(obj) and by_field.matches(obj)

    return matches


def list_objects(store: Store, resource: Resource, namespace: str | None, query: ListQuery) -> Page:
    """Return the objects that match, by key, at the newest resourceVersion (410 for an exact older one)."""
    version, after = _position(store, query)
    matches = matcher(resource, namespace, query.label_selector, query.field_selector)
    found = [(key, obj) for key, obj in store.items(resource.key) if (after is None or key > after) and matches(obj)]
    if not query.limit or len(found) <= query.limit:
        return Page([obj for _, obj in found], version)
    page = found[: query.limit]
    selective = bool(query.label_selector or query.field_selector)
    return Page(
        [obj for _, obj in page], version, _token(version, page[-1][0]), 0 if selective else len(found) - query.limit
    )


def _position(store: Store, query: ListQuery) -> tuple[int, Key | None]:
    if query.token:
        if query.version and query.version != "0":
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        return _resume(query.token)
    asked = parse_version(query.version)
    if asked > store.version:
        raise errors.future_version(asked, store.version)
    if query.version_match and not query.version:
        raise errors.bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if query.version_match == "Exact" and asked != store.version:
        raise errors.gone(f"The provided resource version {asked} is too old: only the newest is kept")
    return store.version, None


def parse_version(text: str) -> int:
    """Return a resourceVersion as the number that this server makes it; 0 for none, 400 for anything else."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise errors.bad_request(f"Invalid value: {text!r}: strconv.ParseUint: parsing {text!r}: invalid syntax")
    return int(text)


def _token(version: int, last: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *last]).encode()).decode()


def _resume(token: str) -> tuple[int, Key]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
        return int(version), Key(str(namespace), str(name))
    except (ValueError, TypeError, binascii.Error):
        raise errors.bad_request("continue key is not valid") from None
