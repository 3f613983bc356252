"""Query parameters and DeleteOptions as values. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.options import DeleteOptions, ListQuery, User, WriteOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

_VALIDATIONS = ("Strict", "Warn", "Ignore")


def flag(query: Mapping[str, str], name: str) -> bool:
    """Return a boolean parameter, as Go's ``strconv`` reads it."""
    return query.get(name, "") in {"1", "t", "T", "true", "True", "TRUE"}


def number(query: Mapping[str, str], name: str) -> int | None:
    """Return an integer parameter; None if it is absent, 400 if it is none."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f"invalid value for {name}: {text!r}") from None


def list_query(query: Mapping[str, str]) -> ListQuery:
    """Return what of a collection is wanted."""
    return ListQuery(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        limit=number(query, "limit") or 0,
        token=query.get("continue", ""),
        version=query.get("resourceVersion", ""),
        version_match=query.get("resourceVersionMatch", ""),
    )


def write_options(query: Mapping[str, str], user: User, agent: str) -> WriteOptions:
    """Return how a write is meant; ``agent`` is the User-Agent, which names the field manager if nothing else does."""
    validation = query.get("fieldValidation") or "Warn"
    if validation not in _VALIDATIONS:
        raise errors.bad_request(f"fieldValidation: Unsupported value: {validation!r}")
    return WriteOptions(
        user=user,
        dry_run=_dry_run(query.get("dryRun", "")),
        field_manager=query.get("fieldManager") or agent.partition("/")[0],
        field_validation=validation,
        force=flag(query, "force"),
    )


def _dry_run(text: str) -> bool:
    if text not in {"", "All"}:
        raise errors.bad_request(f"dryRun: Unsupported value: {text!r}: supported values: 'All'")
    return bool(text)


def delete_options(query: Mapping[str, str], body: Mapping[str, Any] | None, user: User) -> DeleteOptions:
    """Return how a deletion is meant; the body wins over the query."""
    given = body or {}
    preconditions = given.get("preconditions") or {}
    grace = given.get("gracePeriodSeconds")
    if grace is not None and not isinstance(grace, int):
        raise errors.bad_request("gracePeriodSeconds must be an integer")
    dry_run = given.get("dryRun") or [query.get("dryRun", "")]
    orphans = given.get("orphanDependents")
    orphan = "" if orphans is None else "Orphan" if orphans else "Background"
    return DeleteOptions(
        grace_seconds=grace if grace is not None else number(query, "gracePeriodSeconds"),
        propagation=given.get("propagationPolicy") or query.get("propagationPolicy", "") or orphan,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        dry_run=any(_dry_run(text) for text in dry_run),
        user=user,
    )
