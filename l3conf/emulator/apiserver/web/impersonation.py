"""Impersonation (``kubectl --as``): a user who may, acts as another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.options import User
from l3conf.emulator.apiserver.rbac import Attributes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from multidict import CIMultiDictProxy

    from l3conf.emulator.apiserver.authorization import Authorization

_ACCOUNT = "system:serviceaccount:"
_ACCOUNT_PARTS = 2


def effective_user(user: User, headers: CIMultiDictProxy[str], authorization: Authorization) -> User:
    """Return the user whom the request acts as; 403 unless the sender may impersonate all that it names."""
    name, groups = headers.get("Impersonate-User", ""), tuple(headers.getall("Impersonate-Group", ()))
    uid = headers.get("Impersonate-Uid", "")
    if not name:
        if groups or uid or any(header.lower().startswith("impersonate-extra-") for header in headers):
            raise errors.bad_request("requested impersonation without impersonating a user")
        return user
    for asked in _permissions(name, groups, uid):
        authorization.check(user, asked)
    return User(name, (*(groups or _account_groups(name)), "system:authenticated"), uid)


def _permissions(name: str, groups: Sequence[str], uid: str) -> Iterator[Attributes]:
    account = name.removeprefix(_ACCOUNT).split(":") if name.startswith(_ACCOUNT) else []
    if len(account) == _ACCOUNT_PARTS:
        yield Attributes(verb="impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes(verb="impersonate", resource="users", name=name)
    for group in groups:
        yield Attributes(verb="impersonate", resource="groups", name=group)
    if uid:
        yield Attributes(verb="impersonate", group="authentication.k8s.io", resource="uids", name=uid)


def _account_groups(name: str) -> tuple[str, ...]:
    if not name.startswith(_ACCOUNT):
        return ()
    namespace = name.removeprefix(_ACCOUNT).partition(":")[0]
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
