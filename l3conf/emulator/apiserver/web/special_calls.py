"""Requests that are more than a read or write of an object: reviews, tokens, bindings, evictions, streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors, tokens
from l3conf.emulator.apiserver.lifecycle import now
from l3conf.emulator.apiserver.options import WriteOptions
from l3conf.emulator.apiserver.selectors import label_selector_of
from l3conf.emulator.apiserver.service_accounts import bound_object
from l3conf.emulator.apiserver.web import queries
from l3conf.emulator.apiserver.web.pod_streams import ExecStreams, serve_logs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from l3conf.emulator.apiserver.registry import Registry
    from l3conf.emulator.apiserver.reviews import Reviews
    from l3conf.emulator.apiserver.tokens import Tokens
    from l3conf.emulator.apiserver.verbs import Verbs
    from l3conf.emulator.apiserver.web.context import Call
    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.pod_access import PodAccess

    Answer = Callable[[Call], Awaitable[web.StreamResponse]]

HOUR = 3600


class SpecialCalls:
    """Answers by (resource, subresource, verb)."""

    def __init__(
        self, registry: Registry, verbs: Verbs, tokens: Tokens, reviews: Reviews, pods: Callable[[], PodAccess | None]
    ) -> None:
        self._registry = registry
        self._verbs = verbs
        self._tokens = tokens
        self._reviews = reviews
        self._pods = pods
        self.execs = ExecStreams()
        self._answers: dict[tuple[str, str, str], Answer] = {
            ("pods", "log", "get"): self._logs,
            ("pods", "exec", "get"): self._exec,
            ("pods", "exec", "create"): self._exec,
            ("pods", "binding", "create"): self._bind,
            ("pods", "eviction", "create"): self._evict,
            ("bindings", "", "create"): self._bind,
            ("serviceaccounts", "token", "create"): self._issue_token,
        }

    def answer_for(self, call: Call) -> Answer | None:
        """Return who answers; None for ordinary requests."""
        target = call.target
        if target.group in {"authentication.k8s.io", "authorization.k8s.io"} and target.verb == "create":
            return self._review
        return self._answers.get((target.plural, target.subresource, target.verb)) if not target.group else None

    async def _review(self, call: Call) -> web.StreamResponse:
        resource = self._registry.at(call.target.group, call.target.version, call.target.plural)
        review = {"kind": resource.kind, "apiVersion": resource.api_version, **await call.read_object()}
        return call.answer(self._reviews.answer(resource.kind, review, call.user, call.target.namespace), 201)

    async def _issue_token(self, call: Call) -> web.StreamResponse:
        target, request = call.target, await call.read_object()
        spec = request.get("spec") or {}
        seconds = spec.get("expirationSeconds") or HOUR
        if not isinstance(seconds, int) or not tokens.SHORTEST <= seconds <= tokens.LONGEST:
            raise errors.bad_request(f"spec.expirationSeconds: must be between {tokens.SHORTEST} and {tokens.LONGEST}")
        bound = bound_object(self._verbs.store, target.namespace, spec.get("boundObjectRef"))
        audiences = list(spec.get("audiences") or (tokens.ISSUER,))
        token = self._tokens.issue(target.namespace, target.name, seconds=seconds, audiences=audiences, bound=bound)
        return call.answer(
            {
                "kind": "TokenRequest",
                "apiVersion": "authentication.k8s.io/v1",
                "metadata": {"name": target.name, "namespace": target.namespace, "creationTimestamp": now()},
                "spec": {**spec, "audiences": audiences, "expirationSeconds": seconds},
                "status": {"token": token, "expirationTimestamp": tokens.expiry(seconds)},
            },
            201,
        )

    async def _bind(self, call: Call) -> web.StreamResponse:
        binding = await call.read_object()
        name = call.target.name or (binding.get("metadata") or {}).get("name") or ""
        node = (binding.get("target") or {}).get("name")
        if not node:
            raise errors.bad_request("target.name is required")

        def bound(pod: Object) -> Object:
            if pod["spec"].get("nodeName"):
                why = f"pod {name} is already assigned to node {pod['spec']['nodeName']!r}"
                raise errors.conflict("pods/binding", name, why)
            return {**pod, "spec": {**pod["spec"], "nodeName": node}}

        options = WriteOptions(user=call.user, trusted=True, dry_run=call.write_options.dry_run)
        pods = self._registry.named("pods")
        self._verbs.update(pods, call.target.namespace, name, bound, options, subresource="binding")
        return call.answer(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    async def _evict(self, call: Call) -> web.StreamResponse:
        eviction, target = await call.read_object(), call.target
        pods = self._registry.named("pods")
        self._check_budgets(self._verbs.get(pods, target.namespace, target.name))
        options = queries.delete_options(call.request.query, eviction.get("deleteOptions"), call.user)
        self._verbs.delete(pods, target.namespace, target.name, options)
        return call.answer(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    def _check_budgets(self, pod: Object) -> None:
        for _, budget in self._verbs.store.items("poddisruptionbudgets.policy"):
            selector = label_selector_of((budget.get("spec") or {}).get("selector"))
            same_namespace = budget["metadata"]["namespace"] == pod["metadata"]["namespace"]
            concerned = same_namespace and selector is not None and selector.matches(pod)
            if concerned and (budget.get("status") or {}).get("disruptionsAllowed", 0) <= 0:
                raise errors.too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.")

    async def _logs(self, call: Call) -> web.StreamResponse:
        return await serve_logs(call, self._access(call))

    async def _exec(self, call: Call) -> web.StreamResponse:
        return await self.execs.serve(call, self._access(call))

    def _access(self, call: Call) -> PodAccess:
        self._verbs.get(self._registry.named("pods"), call.target.namespace, call.target.name)
        pods = self._pods()
        if pods is None:
            raise errors.StatusError(503, "ServiceUnavailable", "no kubelet serves this cluster's pods")
        return pods
