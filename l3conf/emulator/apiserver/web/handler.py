"""The way of every request: whose is it, may they, what is it, and a Status for whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.selectors import parse_field_selector
from l3conf.emulator.apiserver.web import queries
from l3conf.emulator.apiserver.web.context import Call, hang_up, status_response
from l3conf.emulator.apiserver.web.impersonation import effective_user
from l3conf.emulator.apiserver.web.meta_calls import MetaCalls
from l3conf.emulator.apiserver.web.paths import Target, parse_target
from l3conf.emulator.apiserver.web.resource_calls import ResourceCalls

if TYPE_CHECKING:
    from aiohttp import web

    from l3conf.emulator.apiserver.authentication import Authentication
    from l3conf.emulator.apiserver.authorization import Authorization
    from l3conf.emulator.apiserver.disturbances import Disturbances
    from l3conf.emulator.apiserver.registry import Registry
    from l3conf.emulator.apiserver.verbs import Verbs
    from l3conf.emulator.apiserver.web.special_calls import SpecialCalls
    from l3conf.emulator.apiserver.web.watch_stream import WatchStreams

logger = logging.getLogger(__name__)


class Handler:
    """aiohttp's request handler for one API server."""

    def __init__(
        self,
        registry: Registry,
        verbs: Verbs,
        authentication: Authentication,
        authorization: Authorization,
        special: SpecialCalls,
        watches: WatchStreams,
        disturbances: Disturbances,
    ) -> None:
        self._registry = registry
        self._authentication = authentication
        self._authorization = authorization
        self._special = special
        self._disturbances = disturbances
        self._resources = ResourceCalls(verbs, watches)
        self._meta = MetaCalls(registry)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. Logs never carry headers, which hold tokens, nor queries."""
        try:
            return await self._answer(request)
        except errors.StatusError as error:
            return status_response(error)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            logger.exception("%s %s", request.method, request.path)
            return status_response(errors.internal(f"{type(error).__name__}: {error}"))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        user = self._authentication.user_of(request.headers.get("Authorization"))
        user = effective_user(user, request.headers, self._authorization)
        target = parse_target(request.method, request.path, watches=queries.flag(request.query, "watch"))
        call = Call(request, _named_by_selector(target, request), user)
        fate = self._disturbances.of_request(call.client, continues=bool(request.query.get("continue")))
        if fate.delay:
            await asyncio.sleep(fate.delay)
        if fate.dropped:
            raise hang_up(request)
        if fate.refusal is not None:
            raise fate.refusal
        answer = await self._carry_out(call, target)
        if fate.unanswered:
            raise hang_up(request)
        return answer

    async def _carry_out(self, call: Call, target: Target) -> web.StreamResponse:
        self._authorization.check(call.user, call.target.attributes)
        if not target.plural:
            return self._meta.answer(call)
        call.target = target
        resource = self._registry.at(target.group, target.version, target.plural)
        if target.subresource and target.subresource not in resource.subresources:
            raise errors.no_such_path()
        answer = self._special.answer_for(call)
        return await (answer(call) if answer is not None else self._resources.answer(call, resource))


def _named_by_selector(target: Target, request: web.BaseRequest) -> Target:
    """Let rights on one name cover lists and watches of just that name (``fieldSelector=metadata.name=x``)."""
    text = request.query.get("fieldSelector", "")
    if target.verb not in {"list", "watch", "deletecollection"} or not text.startswith("metadata.name="):
        return target
    terms = parse_field_selector(text.partition(",")[0], ("metadata.name",)).terms
    return Target(
        verb=target.verb,
        path=target.path,
        group=target.group,
        version=target.version,
        plural=target.plural,
        namespace=target.namespace,
        name=terms[0].value,
    )
