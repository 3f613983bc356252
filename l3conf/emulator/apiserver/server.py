"""One embedded API server: its parts put together, its sockets served."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from l3conf.emulator.apiserver.admission_policies import AdmissionPolicies
from l3conf.emulator.apiserver.authentication import ADMIN, Authentication
from l3conf.emulator.apiserver.authorization import Authorization
from l3conf.emulator.apiserver.certificates import make_authority, make_server, server_context
from l3conf.emulator.apiserver.definitions import Definitions
from l3conf.emulator.apiserver.disturbances import Disturbances
from l3conf.emulator.apiserver.kubeconfig import make_kubeconfig
from l3conf.emulator.apiserver.local_api import LocalAPI
from l3conf.emulator.apiserver.namespaces import FROM_THE_START, NamespaceFurniture, NamespaceLifecycle
from l3conf.emulator.apiserver.registry import Registry
from l3conf.emulator.apiserver.reviews import Reviews
from l3conf.emulator.apiserver.service_accounts import PodServiceAccount, TokenSecrets
from l3conf.emulator.apiserver.service_addresses import ServiceAddresses
from l3conf.emulator.apiserver.store import Store
from l3conf.emulator.apiserver.tokens import Tokens
from l3conf.emulator.apiserver.verbs import Verbs
from l3conf.emulator.apiserver.web.handler import Handler
from l3conf.emulator.apiserver.web.listeners import Listeners
from l3conf.emulator.apiserver.web.special_calls import SpecialCalls
from l3conf.emulator.apiserver.web.watch_stream import WatchStreams

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from l3conf.emulator.apiserver.options import User
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
        self._authorization = Authorization(self._registry, self._verbs)
        self._verbs.admissions += [
            NamespaceLifecycle(self._verbs),
            self._authorization,
            NamespaceFurniture(self._registry, self._verbs, self.ca_pem),
            Definitions(self._registry, self._verbs),
            service_addresses,
            PodServiceAccount(self._store),
            TokenSecrets(self._store, self._tokens, self.ca_pem),
            AdmissionPolicies(self._store),
        ]
        self.api: ClusterAPI = LocalAPI(self._registry, self._verbs)
        for namespace in FROM_THE_START:
            self.api.create("namespaces", {"metadata": {"name": namespace}})
        self._authorization.bootstrap()
        self.disturbances = Disturbances()
        self._watches = WatchStreams(self._store, self.disturbances)
        self._authentication = Authentication(self._tokens)
        self._authentication.accept(self.admin_token, ADMIN)
        self._special = SpecialCalls(
            self._registry,
            self._verbs,
            self._tokens,
            Reviews(self._authentication, self._authorization, self._tokens),
            lambda: self.pod_access,
        )
        self._listeners: Listeners | None = None

    def issue_token(self, namespace: str, service_account: str, *, seconds: int, audiences: Sequence[str] = ()) -> str:
        """Return a token for a ServiceAccount, valid for ``seconds``; 404 if there is no such account."""
        return self._tokens.issue(namespace, service_account, seconds=seconds, audiences=audiences)

    def accept_token(self, token: str, user: User) -> None:
        """Let a static token speak for a component."""
        self._authentication.accept(token, user)

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve HTTPS on sockets that are bound and listening; they are the server's from now on."""
        if self._listeners is None:
            self._listeners = self._make_listeners()
        await self._listeners.open(sockets, server_context(self._identity))

    async def stop(self) -> None:
        """End watches, sessions and connections; the in-process API stays usable. May be started again."""
        self._watches.close()
        await self._special.execs.close()
        if self._listeners is not None:
            await self._listeners.close()
            self._listeners = None

    def kubeconfig(self, server_url: str) -> str:
        """Return a kubeconfig (YAML) for the cluster's administrator at ``https://host:port``."""
        return make_kubeconfig(self.name, server_url, self.ca_pem, self.admin_token)

    def _make_listeners(self) -> Listeners:
        return Listeners(
            Handler(
                self._registry,
                self._verbs,
                self._authentication,
                self._authorization,
                self._special,
                self._watches,
                self.disturbances,
            )
        )
