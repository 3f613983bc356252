"""What can be done to stored resources: every read and write of every client goes through here.

Objects that are returned are the store's: read them, or copy them (``json_copy``). Objects that are given are
taken over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from l3conf.emulator.apiserver import errors, lifecycle
from l3conf.emulator.apiserver.admission import Admission, Change
from l3conf.emulator.apiserver.defaults import DEFAULTS
from l3conf.emulator.apiserver.fields import check_fields
from l3conf.emulator.apiserver.json_copy import copied
from l3conf.emulator.apiserver.listing import Page, list_objects
from l3conf.emulator.apiserver.naming import check_metadata
from l3conf.emulator.apiserver.options import AS_USUAL, INTERNAL, DeleteOptions, ListQuery, WriteOptions
from l3conf.emulator.apiserver.ownership import credited
from l3conf.emulator.apiserver.schemas import field_error
from l3conf.emulator.apiserver.store import Key
from l3conf.emulator.apiserver.subresources import merged
from l3conf.emulator.apiserver.update_rules import check_update
from l3conf.emulator.apiserver.validation import RULES
from l3conf.emulator.apiserver.versions import check_convertible, in_version, to_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.schemas.field_error import FieldError
    from l3conf.emulator.apiserver.store import Store
    from l3conf.emulator.cluster_api import Object

    Transform: TypeAlias = Callable[[Object], Object]
    """From the live object, a copy free to change, to the wanted one."""


class Verbs:
    """Reads and writes of one API server. Synchronous: between a read and its write nothing can happen."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.admissions: list[Admission] = []

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Return an object in the resource's version; 404 if there is none."""
        return in_version(self._live(resource, Key(namespace, name)), resource)

    def select(self, resource: Resource, namespace: str | None, query: ListQuery) -> Page:
        """Return the objects that match, of all namespaces if ``namespace`` is None."""
        page = list_objects(self.store, resource, namespace, query)
        for obj in page.items:
            check_convertible(obj, resource)
        return page._replace(items=[in_version(obj, resource) for obj in page.items])

    def create(self, resource: Resource, namespace: str, obj: Object, options: WriteOptions = INTERNAL) -> Object:
        """Create an object; 409 if its name is taken, 404 if its namespace is missing, 422 if it breaks the rules."""
        new = to_storage(check_fields(obj, resource, options), resource)
        lifecycle.born(new, resource, namespace if resource.namespaced else "")
        if "status" in resource.subresources and resource.custom and not options.trusted:
            new.pop("status", None)
        new = self._completed(Change(resource, new, None, options))
        key = Key(new["metadata"].get("namespace", ""), new["metadata"]["name"])
        if self.store.get(resource.key, key) is not None:
            raise errors.already_exists(resource.plural, key.name, resource.group)
        return in_version(self._stored(key, Change(resource, new, None, options)), resource)

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        transform: Transform,
        options: WriteOptions = INTERNAL,
        *,
        subresource: str = "",
    ) -> Object:
        """Replace an object, or the part of it that a subresource stands for, by what ``transform`` makes of it."""
        key = Key(namespace if resource.namespaced else "", name)
        old = self._live(resource, key)
        asked = transform(copied(in_version(old, resource)))
        self._check_version(asked, old, resource)
        asked = to_storage(check_fields(asked, resource, options), resource)
        if (asked["metadata"].get("name") or name) != name:
            wanted = asked["metadata"]["name"]
            raise errors.bad_request(f"the name of the object ({wanted}) does not match the name on the URL ({name})")
        asked["metadata"]["name"] = name
        broken = list(lifecycle.carried_over(asked, old, resource))
        new = merged(asked, old, resource, subresource)
        change = Change(resource, new, old, options, subresource)
        new = self._completed(change, broken)
        lifecycle.counted(new, old, resource)
        return in_version(self._replaced(key, Change(resource, new, old, options, subresource)), resource)

    def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions = AS_USUAL
    ) -> tuple[Object, bool]:
        """Delete an object; return its last state and whether it is gone, not only marked."""
        key = Key(namespace if resource.namespaced else "", name)
        obj = self._live(resource, key)
        lifecycle.check_preconditions(obj, resource, options)
        for admission in self._interested(resource):
            admission.deleting(resource, obj, options.user)
        marked = copied(obj)
        changed = lifecycle.doomed(marked, resource, options)
        if lifecycle.may_go(marked):
            last = marked if options.dry_run else self._removed(resource, key)
            return in_version(last, resource), True
        if changed and not options.dry_run:
            marked = self.store.put(resource.key, key, marked)
            self._tell(Change(resource, marked, obj, INTERNAL))
        return in_version(marked, resource), False

    def delete_collection(
        self, resource: Resource, namespace: str | None, query: ListQuery, options: DeleteOptions
    ) -> list[Object]:
        """Delete all objects that match; return their last states."""
        found = [obj["metadata"] for obj in self.select(resource, namespace, query).items]
        return [self.delete(resource, meta.get("namespace", ""), meta["name"], options)[0] for meta in found]

    def _live(self, resource: Resource, key: Key) -> Object:
        obj = self.store.get(resource.key, key)
        if obj is None:
            raise errors.not_found(resource.plural, key.name, resource.group)
        check_convertible(obj, resource)
        return obj

    def _check_version(self, asked: Object, old: Object, resource: Resource) -> None:
        metadata = asked.get("metadata")
        if not isinstance(metadata, dict):
            raise errors.bad_request("metadata must be an object")
        version = metadata.get("resourceVersion")
        if not version and not resource.unconditional_update:
            cause = [field_error.invalid("metadata.resourceVersion", 0, "must be specified for an update")]
            raise errors.invalid(resource.kind, old["metadata"]["name"], cause, resource.group)
        if version and version != old["metadata"]["resourceVersion"]:
            raise errors.conflict(resource.plural, old["metadata"]["name"], group=resource.group)
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]

    def _interested(self, resource: Resource) -> Iterator[Admission]:
        return (admission for admission in self.admissions if not admission.keys or resource.key in admission.keys)

    def _completed(self, change: Change, broken: list[FieldError] | None = None) -> Object:
        """Fill in defaults, let admissions have their say, and check the outcome."""
        resource, new = change.resource, change.new
        if resource.custom is None:
            if default := DEFAULTS.get(resource.key):
                default(new)
        elif resource.custom.schema:
            new = {**resource.custom.schema.default(new), "metadata": new["metadata"]}
        change = Change(resource, new, change.old, change.options, change.subresource)
        for admission in self._interested(resource):
            admission.admit(change)
        problems = [*(broken or ()), *_problems(change)]
        if problems:
            raise errors.invalid(resource.kind, new["metadata"].get("name") or "", problems, resource.group)
        return credited(change)

    def _stored(self, key: Key, change: Change) -> Object:
        if change.options.dry_run:
            return change.new
        self.store.put(change.resource.key, key, change.new)
        self._tell(change)
        return change.new

    def _replaced(self, key: Key, change: Change) -> Object:
        if change.new == change.old:
            return change.old
        if lifecycle.may_go(change.new) and not change.options.dry_run:
            self._stored(key, change)
            return self._removed(change.resource, key)
        return self._stored(key, change)

    def _removed(self, resource: Resource, key: Key) -> Object:
        last = self.store.remove(resource.key, key)
        for admission in self._interested(resource):
            admission.removed(resource, last)
        return last

    def _tell(self, change: Change) -> None:
        for admission in self._interested(change.resource):
            admission.stored(change)


def _problems(change: Change) -> Iterator[FieldError]:
    resource, new = change.resource, change.new
    yield from check_metadata(new, resource.key, namespaced=resource.namespaced)
    if resource.custom is None:
        if rules := RULES.get(resource.key):
            yield from rules(new)
        if change.old is not None:
            yield from check_update(resource.key, new, change.old, trusted=change.options.trusted)
    elif resource.custom.schema:
        yield from resource.custom.schema.validate(new, change.old)
