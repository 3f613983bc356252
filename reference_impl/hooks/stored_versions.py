"""Objects of our kinds written again in the version that is stored now, so that an older one can go some day.

The definition's ``status.storedVersions`` is the ledger: an older version leaves it last, when nothing is stored in it
any more. Whoever is interrupted before that finds it there the next time and begins again; writing twice does no harm.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from reference_impl.drivers.api import ConflictError, NotFoundError, Resource
from reference_impl.mutants import load_mutant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.drivers.api import API, Object


async def migrate(api: API, objects: Iterable[Object]) -> None:
    """Bring what is stored of these definitions, which have been applied, to their storage version. Repeatable."""
    for obj in objects:
        if Resource.of(obj) is Resource.CRD and len(obj["spec"]["versions"]) > 1:
            while not await _migrated(api, obj["metadata"]["name"]):
                pass


async def _migrated(api: API, name: str) -> bool:
    """Migrate once; False if the definition was changed meanwhile, so that nothing is known of what is stored."""
    definition = await api.get(Resource.CRD, name)
    stored = [version["name"] for version in definition["spec"]["versions"] if version["storage"]]
    if definition.get("status", {}).get("storedVersions") == stored:
        return True
    kind = _resource(definition)
    for obj in load_mutant().stored((await api.list(kind))[0]):
        # Whoever changed or deleted it meanwhile has done what is needed here.
        with suppress(ConflictError, NotFoundError):
            await api.replace(kind, obj)
    version = {"resourceVersion": definition["metadata"]["resourceVersion"]}
    try:
        await api.merge_status(Resource.CRD, name, "", {"metadata": version, "status": {"storedVersions": stored}})
    except ConflictError:
        return False
    return True


def _resource(definition: Object) -> Resource:
    """Return the kind of ours that a definition defines."""
    defined = definition["spec"]["group"], definition["spec"]["names"]["plural"]
    return next(kind for kind in Resource if (kind.group, kind.plural) == defined)
