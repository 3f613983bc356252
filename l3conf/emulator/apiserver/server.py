"""One embedded API server: its parts put together, its sockets served."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from l3conf.emulator.apiserver.certificates import make_authority, make_server
from l3conf.emulator.apiserver.definitions import Definitions
from l3conf.emulator.apiserver.local_api import LocalAPI
from l3conf.emulator.apiserver.namespaces import FROM_THE_START, NamespaceFurniture, NamespaceLifecycle
from l3conf.emulator.apiserver.registry import Registry
from l3conf.emulator.apiserver.service_accounts import PodServiceAccount, TokenSecrets
from l3conf.emulator.apiserver.service_addresses import ServiceAddresses
from l3conf.emulator.apiserver.store import Store
from l3conf.emulator.apiserver.tokens import Tokens
from l3conf.emulator.apiserver.verbs import Verbs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.emulator.cluster_api import ClusterAPI
    from l3conf.emulator.pod_access import PodAccess
    from l3conf.model.topology import IPAddress, IPNetwork


class APIServer:
    """The API server of one cluster, or of the broker. Usable in the process at once, by HTTPS after ``start``."""

    def __init__(
        self,
        name: str,
        *,
        service_cidrs: Sequence[IPNetwork],
        addresses: Sequence[IPAddress],
        pod_access: PodAccess | None = None,
    ) -> None:
        self.name = name
        self.pod_access = pod_access
        self.admin_token = secrets.token_urlsafe(32)
        service_addresses = ServiceAddresses(service_cidrs)
        reached_at = [*addresses, *((first,) if (first := service_addresses.api_address) else ())]
        authority = make_authority(name)
        self._identity = make_server(authority, reached_at)
        self.ca_pem = authority.certificate_pem
        self._store = Store()
        self._registry = Registry()
        self._verbs = Verbs(self._store)
        self._tokens = Tokens(ec.generate_private_key(ec.SECP256R1()), self._store)
        self._verbs.admissions += [
            NamespaceLifecycle(self._verbs),
            NamespaceFurniture(self._registry, self._verbs, self.ca_pem),
            Definitions(self._registry, self._verbs),
            service_addresses,
            PodServiceAccount(self._store),
            TokenSecrets(self._store, self._tokens, self.ca_pem),
        ]
        self.api: ClusterAPI = LocalAPI(self._registry, self._verbs)
        for namespace in FROM_THE_START:
            self.api.create("namespaces", {"metadata": {"name": namespace}})

    def issue_token(self, namespace: str, service_account: str, *, seconds: int, audiences: Sequence[str] = ()) -> str:
        """Return a token for a ServiceAccount, valid for ``seconds``; 404 if there is no such account."""
        return self._tokens.issue(namespace, service_account, seconds=seconds, audiences=audiences)
