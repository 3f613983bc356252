"""What a member sees of another one at the broker, with its own credential: by list, by watch and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.member_account import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.plugin.cluster_api import Object
    from l3conf.plugin.member_account import MemberAccount

WAYS = ("lists", "watches", "gets")
_WATCH_SECONDS = "1"


def seen(account: MemberAccount, owner: str) -> dict[str, list[str]]:
    """Return, by way, what a member's credential shows it of a cluster's Clusters and Endpoints.

    Every namespace where the administrator sees such objects is tried, and all namespaces at once; by name is tried
    what the administrator knows of the owner, in each of these namespaces.
    """
    objects = {kind: account.admin.items(f"{GROUP}/{kind}") for kind in KINDS}
    places = sorted({_place(obj) for listed in objects.values() for obj in listed} | {account.namespace})
    found: dict[str, list[str]] = {way: [] for way in WAYS}
    for kind, listed in objects.items():
        for path in (f"{GROUP}/{kind}", *(f"{GROUP}/namespaces/{place}/{kind}" for place in places)):
            answer = account.api.request("GET", path)
            items = answer.body["items"] if answer.ok else []
            found["lists"] += [_words(path, obj) for obj in items if _is_of(obj, owner)]
            found["watches"] += [_words(path, obj) for obj in _watched(account, path) if _is_of(obj, owner)]
        names = {obj["metadata"]["name"] for obj in listed if _is_of(obj, owner)}
        for path in (f"{GROUP}/namespaces/{place}/{kind}/{name}" for place in places for name in sorted(names)):
            if account.api.request("GET", path).ok:
                found["gets"].append(path)
    return found


def _watched(account: MemberAccount, path: str) -> Iterator[Object]:
    """Yield what a watch begins with: without a version, all that exists."""
    return account.api.first_events(path, seconds=_WATCH_SECONDS)


def _is_of(obj: Object, owner: str) -> bool:
    return bool((obj.get("spec") or {}).get("cluster_id") == owner)


def _place(obj: Object) -> str:
    return str(obj["metadata"]["namespace"])


def _words(path: str, obj: Object) -> str:
    return f"{path}: {obj['metadata']['name']}"
