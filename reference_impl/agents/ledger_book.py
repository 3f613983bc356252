"""The ledger of global addresses as an object of the member's API: read once, replaced only if nobody else did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.drivers.api import ConflictError, NotFoundError, Resource
from reference_impl.names import GLOBAL_LEDGER, MANAGED_BY
from reference_impl.planner.ledger import Ledger, read, write

if TYPE_CHECKING:
    from reference_impl.drivers.api import API, Object
    from reference_impl.state import IPNetwork

_ENTRY = "ledger"


class LedgerBook:
    """One pool's ledger. Whoever opened it before somebody else wrote is refused, and reads again."""

    def __init__(self, api: API, namespace: str, pool: IPNetwork) -> None:
        self._api = api
        self._namespace = namespace
        self._pool = pool
        self._held: Object | None = None
        self._ledger: Ledger | None = None

    async def open(self) -> Ledger:
        """Return the ledger as it was last read or written by this process; ``APIError`` if it cannot be read."""
        if self._ledger is None:
            try:
                self._held = await self._api.get(Resource.CONFIG_MAP, GLOBAL_LEDGER, self._namespace)
            except NotFoundError:
                self._held = None
            text = (self._held.get("data") or {}).get(_ENTRY, "") if self._held is not None else ""
            self._ledger = read(text, self._pool)
        return self._ledger

    def forget(self) -> None:
        """Read anew next time: another process may have written meanwhile."""
        self._ledger = None

    async def keep(self, ledger: Ledger) -> None:
        """Write a ledger that differs; ``ConflictError`` if somebody else wrote since it was opened."""
        if ledger == self._ledger:
            return
        held = self._held
        self._ledger = None
        metadata = {"name": GLOBAL_LEDGER, "namespace": self._namespace}
        metadata["labels"] = {"app.kubernetes.io/managed-by": MANAGED_BY}  # type: ignore[assignment]
        body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {_ENTRY: write(ledger)}}
        if held is None:
            self._held = await self._api.create(Resource.CONFIG_MAP, body)
        else:
            body["metadata"]["resourceVersion"] = held["metadata"]["resourceVersion"]
            try:
                self._held = await self._api.replace(Resource.CONFIG_MAP, body)
            except NotFoundError as error:
                raise ConflictError(str(error), error.code) from None
        self._ledger = ledger
