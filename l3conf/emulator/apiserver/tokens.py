"""ServiceAccount tokens: JWTs signed with ES256, bound to the account's uid (KEP-1205)."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.lifecycle import timestamp
from l3conf.emulator.apiserver.options import User
from l3conf.emulator.apiserver.store import Key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from l3conf.emulator.apiserver.store import Store
    from l3conf.emulator.cluster_api import Object

ISSUER = "https://kubernetes.default.svc.cluster.local"
"""``iss``, and the audience of tokens that name none."""
SHORTEST = 600
LONGEST = 1 << 32
_CLAIMS = "kubernetes.io"
_REMEMBERED = 1000
"""Tokens whose signature is not checked again."""
LEGACY_LIFETIME = 10 * 365 * 24 * 3600
"""Seconds that a token in a Secret lasts; real ones never expire, a lab does."""


@dataclass(frozen=True, slots=True)
class TokenUser:
    """Whom a token is for."""

    user: User
    audiences: tuple[str, ...]


class Tokens:
    """Issues and checks the tokens of one cluster's ServiceAccounts."""

    def __init__(self, key: EllipticCurvePrivateKey, store: Store) -> None:
        self._key = key
        self._public = key.public_key()
        self._store = store
        self._verified: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = {}
        """Claims of tokens whose signature was right: agents show theirs with every request."""

    def issue(
        self,
        namespace: str,
        name: str,
        *,
        seconds: int,
        audiences: Sequence[str] = (),
        bound: Object | None = None,
    ) -> str:
        """Return a token; 404 if there is no such account. ``bound`` (Pod, Secret, Node) must outlive the token."""
        import jwt  # noqa: PLC0415 - start-up needs no token

        account = self._store.get("serviceaccounts", Key(namespace, name))
        if account is None:
            raise errors.not_found("serviceaccounts", name)
        about: dict[str, Any] = {
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": account["metadata"]["uid"]},
        }
        if bound is not None:
            about[bound["kind"].lower()] = {"name": bound["metadata"]["name"], "uid": bound["metadata"]["uid"]}
        issued = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": list(audiences) or [ISSUER],
            "iat": issued,
            "nbf": issued,
            "exp": issued + seconds,
            "jti": str(uuid.uuid4()),
            _CLAIMS: about,
        }
        return jwt.encode(claims, self._key, algorithm="ES256")

    def user_of(self, token: str, audiences: Sequence[str] = ()) -> TokenUser | None:
        """Return the account that a token speaks for; None if it is not valid here and now."""
        claims = self._claims_of(token, tuple(audiences) or (ISSUER,))
        if claims is None:
            return None
        about = claims.get(_CLAIMS) or {}
        namespace, account = about.get("namespace", ""), about.get("serviceaccount") or {}
        if not self._is_alive("serviceaccounts", namespace, account) or not self._bound_objects_live(about, namespace):
            return None
        matching = tuple(audience for audience in claims["aud"] if audience in (audiences or (ISSUER,)))
        return TokenUser(_account_user(namespace, account, about), matching)

    def _claims_of(self, token: str, audiences: tuple[str, ...]) -> dict[str, Any] | None:
        """Return what a token claims, None if it is not ours, not for these, or over; a signature is checked once."""
        known = self._verified.get((token, audiences))
        if known is not None and known["exp"] > time.time():
            return known
        import jwt  # noqa: PLC0415 - start-up needs no token

        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._public, algorithms=["ES256"], audience=list(audiences), issuer=ISSUER
            )
        except jwt.InvalidTokenError:
            self._verified.pop((token, audiences), None)
            return None
        if len(self._verified) >= _REMEMBERED:
            self._verified.pop(next(iter(self._verified)))
        self._verified[token, audiences] = claims
        return claims

    def _bound_objects_live(self, about: dict[str, Any], namespace: str) -> bool:
        kinds = (("pod", "pods", namespace), ("secret", "secrets", namespace), ("node", "nodes", ""))
        return all(
            self._is_alive(resource, space, about[kind])
            for kind, resource, space in kinds
            if kind in about and (kind != "node" or "pod" not in about)
        )

    def _is_alive(self, resource: str, namespace: str, reference: dict[str, Any]) -> bool:
        found = self._store.get(resource, Key(namespace, reference.get("name", "")))
        return found is not None and found["metadata"]["uid"] == reference.get("uid")


def _account_user(namespace: str, account: dict[str, Any], about: dict[str, Any]) -> User:
    extra: dict[str, tuple[str, ...]] = {}
    if "pod" in about:
        extra = {
            "authentication.kubernetes.io/pod-name": (about["pod"]["name"],),
            "authentication.kubernetes.io/pod-uid": (about["pod"]["uid"],),
        }
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{account['name']}", groups, account["uid"], extra)


def expiry(seconds: int) -> str:
    """Return when a token that is issued now ends, as meta/v1 Time."""
    return timestamp(datetime.now(UTC) + timedelta(seconds=seconds))
