"""Which resources are served at the moment: the built-in ones and those that CRDs define."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.resources import BUILT_IN, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Registry:
    """Looks resources up as URLs, objects and kubectl name them. ``revision`` changes with its content."""

    def __init__(self) -> None:
        self.revision = 0
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_name: dict[str, Resource] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self._custom: dict[str, tuple[Resource, ...]] = {}
        for resource in BUILT_IN:
            self._add(resource)

    def define(self, definition: str, versions: Iterable[Resource]) -> None:
        """Serve what a CRD defines, best version first, in place of what it defined before."""
        self.withdraw(definition)
        self._custom[definition] = tuple(versions)
        for resource in self._custom[definition]:
            self._add(resource)
        self.revision += 1

    def withdraw(self, definition: str) -> None:
        """Serve a CRD's resources no longer."""
        for resource in self._custom.pop(definition, ()):
            del self._by_path[resource.group, resource.version, resource.plural]
            self._by_name.pop(resource.group_resource, None)
            self._by_kind.pop((resource.api_version, resource.kind), None)
            self.revision += 1

    def at(self, group: str, version: str, plural: str) -> Resource:
        """Return the resource of a URL path; 404 if nothing is served there."""
        found = self._by_path.get((group, version, plural))
        if found is None:
            raise errors.no_such_path()
        return found

    def named(self, name: str) -> Resource:
        """Return the resource that in-process callers spell as kubectl does: ``pods``, ``daemonsets.apps``."""
        found = self._by_name.get(name)
        if found is None:
            message = f'the server doesn\'t have a resource type "{name}"'
            raise errors.StatusError(404, "NotFound", message)
        return found

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource whose objects say this apiVersion and kind."""
        return self._by_kind.get((api_version, kind))

    def versions(self, definition: str) -> tuple[Resource, ...]:
        """Return what a CRD defines at the moment."""
        return self._custom.get(definition, ())

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_path.values())

    def _add(self, resource: Resource) -> None:
        self._by_path[resource.group, resource.version, resource.plural] = resource
        self._by_name.setdefault(resource.group_resource, resource)
        self._by_kind[resource.api_version, resource.kind] = resource
