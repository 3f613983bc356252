"""How control-plane components inside the emulator talk to their cluster's API server.

The API server lives in the same process, so these calls are synchronous and cost no HTTP; they pass the same
admission, validation, defaulting and resourceVersion checks as requests from outside. All calls are made on
the emulator's event-loop thread.

``resource`` is spelt as ``kubectl get`` takes it: ``pods``, ``daemonsets.apps``,
``endpointslices.discovery.k8s.io``. Objects are plain JSON dictionaries; returned ones are the caller's own
copies, free to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as JSON."""


class ClusterAPI(Protocol):
    """In-process client of one embedded API server. Every method may raise ``apiserver.errors.StatusError``."""

    def get(self, resource: str, name: str, namespace: str | None = None) -> Object:
        """Return one object; ``StatusError`` 404 if there is none."""

    def list(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> list[Object]:
        """Return the objects that match, in all namespaces if ``namespace`` is None, ordered by key."""

    def create(self, resource: str, obj: Mapping[str, Any]) -> Object:
        """Create an object in the namespace that its metadata names; honours ``generateName``."""

    def update(self, resource: str, obj: Mapping[str, Any], *, subresource: str = "") -> Object:
        """Replace an object, or its ``status`` subresource. 409 if its resourceVersion is not the newest."""

    def patch(
        self,
        resource: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        namespace: str | None = None,
        subresource: str = "",
    ) -> Object:
        """Apply a JSON merge patch (RFC 7396)."""

    def delete(
        self,
        resource: str,
        name: str,
        namespace: str | None = None,
        *,
        grace_period_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Delete an object, or mark it deleted while finalizers or a grace period hold it."""

    def subscribe(self, resource: str, callback: Callable[[str, Object], None]) -> Callable[[], None]:
        """Call back with ``("ADDED"|"MODIFIED"|"DELETED", object)``: first for all that exists, then for changes.

        Returns a function that ends the subscription. Callbacks run on the event-loop thread, after the call
        that made the change has returned to its caller, in the order of resourceVersions.
        """
