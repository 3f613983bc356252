"""Questions that are answered and forgotten: authentication.k8s.io and authorization.k8s.io reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.lifecycle import now
from l3conf.emulator.apiserver.options import User
from l3conf.emulator.apiserver.rbac import Attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.emulator.apiserver.authentication import Authentication
    from l3conf.emulator.apiserver.authorization import Authorization
    from l3conf.emulator.apiserver.tokens import Tokens
    from l3conf.emulator.cluster_api import Object


class Reviews:
    """Answers reviews by kind."""

    def __init__(self, authentication: Authentication, authorization: Authorization, tokens: Tokens) -> None:
        self._authentication = authentication
        self._authorization = authorization
        self._tokens = tokens
        self._answers: Mapping[str, Callable[[Object, User, str], Object]] = {
            "SelfSubjectAccessReview": self._own_access,
            "SelfSubjectRulesReview": self._own_rules,
            "SubjectAccessReview": self._access,
            "LocalSubjectAccessReview": self._local_access,
            "TokenReview": self._token,
            "SelfSubjectReview": self._self,
        }

    def answer(self, kind: str, review: Object, user: User, namespace: str) -> Object:
        """Return the review with its status filled in."""
        spec = review.get("spec")
        if not isinstance(spec, dict) and kind != "SelfSubjectReview":
            raise errors.bad_request(f"{kind}: spec is required")
        status = self._answers[kind](spec or {}, user, namespace)
        return {**review, "metadata": {**(review.get("metadata") or {}), "creationTimestamp": now()}, "status": status}

    def _own_access(self, spec: Object, user: User, namespace: str) -> Object:
        del namespace
        return self._verdict(user, attributes_of(spec))

    def _access(self, spec: Object, user: User, namespace: str) -> Object:
        del user, namespace
        subject = User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "")
        if not subject.name and not subject.groups:
            raise errors.bad_request("spec.user or spec.groups is required")
        return self._verdict(subject, attributes_of(spec))

    def _local_access(self, spec: Object, user: User, namespace: str) -> Object:
        asked = attributes_of(spec)
        if asked.path or asked.namespace != namespace:
            raise errors.bad_request("spec.resourceAttributes.namespace must match metadata.namespace")
        return self._access(spec, user, namespace)

    def _verdict(self, user: User, asked: Attributes) -> Object:
        return {"allowed": True} if self._authorization.policy.allows(user, asked) else {"allowed": False}

    def _own_rules(self, spec: Object, user: User, namespace: str) -> Object:
        del namespace
        rules = [rule.to_dict() for rule in self._authorization.policy.rules_for(user, spec.get("namespace") or "")]
        return {
            "resourceRules": [rule for rule in rules if "resources" in rule],
            "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
            "incomplete": False,
        }

    def _token(self, spec: Object, user: User, namespace: str) -> Object:
        del user, namespace
        token, audiences = spec.get("token") or "", tuple(spec.get("audiences") or ())
        account = self._tokens.user_of(token, audiences)
        if account is not None:
            return {"authenticated": True, "user": _user_info(account.user), "audiences": list(account.audiences)}
        known = self._authentication.user_of_token(token) if not audiences else None
        if known is None:
            return {"authenticated": False, "error": "invalid bearer token"}
        return {"authenticated": True, "user": _user_info(known)}

    def _self(self, spec: Object, user: User, namespace: str) -> Object:
        del spec, namespace
        return {"userInfo": _user_info(user)}


def _user_info(user: User) -> Object:
    info: dict[str, Any] = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def attributes_of(spec: Object) -> Attributes:
    """Return what a (Self|Local)SubjectAccessReview asks about."""
    if path := spec.get("nonResourceAttributes"):
        return Attributes(verb=path.get("verb", ""), path=path.get("path", ""))
    asked = spec.get("resourceAttributes")
    if not asked:
        raise errors.bad_request("spec.resourceAttributes or spec.nonResourceAttributes is required")
    return Attributes(
        verb=asked.get("verb", ""),
        group=asked.get("group", ""),
        resource=asked.get("resource", ""),
        subresource=asked.get("subresource", ""),
        namespace=asked.get("namespace", ""),
        name=asked.get("name", ""),
    )
