"""Who sends a request: bearer tokens of the administrator, of components, and of ServiceAccounts."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.options import User

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.tokens import Tokens

ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
ADMIN = User("kubernetes-admin", ("system:masters", "system:authenticated"))


class Authentication:
    """Knows static tokens by their digests, compared in constant time, and asks ``Tokens`` about all others."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._static: list[tuple[bytes, User]] = []

    def accept(self, token: str, user: User) -> None:
        """Let a static token speak for a user."""
        self._static.append((_digest(token), user))

    def user_of(self, authorization: str | None) -> User:
        """Return the user of an ``Authorization`` header; 401 if there is one that is not valid."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise errors.unauthorized()
        user = self.user_of_token(token.strip())
        if user is None:
            raise errors.unauthorized()
        return user

    def user_of_token(self, token: str) -> User | None:
        """Return the user of a bearer token, None if it is not valid."""
        digest = _digest(token)
        found = None
        for known, user in self._static:
            if hmac.compare_digest(known, digest):
                found = user
        if found is not None:
            return found
        account = self._tokens.user_of(token)
        return account.user if account else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
