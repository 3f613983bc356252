"""The one error that crosses the API: a ``Status`` of kind Failure, in the words clients of Kubernetes parse.

Reasons and codes follow ``k8s.io/apimachinery/pkg/apis/meta/v1`` (StatusReason); messages follow the wording of
``apimachinery/pkg/api/errors``, because people and scripts search for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from l3conf.emulator.apiserver.schemas.field_error import FieldError
    from l3conf.emulator.cluster_api import Object


class StatusError(Exception):
    """A refused request: HTTP ``code``, CamelCase ``reason``, a sentence, and optionally StatusDetails."""

    def __init__(self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})

    def to_status(self) -> Object:
        """Return the meta/v1 Status object that goes over the wire."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status


def qualified(resource: str, group: str) -> str:
    """Return ``deployments.apps`` for a resource in a group, ``pods`` in the core group."""
    return f"{resource}.{group}" if group else resource


def _about(name: str, group: str, kind: str) -> dict[str, Any]:
    details = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in details.items() if value}


def not_found(resource: str, name: str, group: str = "") -> StatusError:
    """404: ``resource`` is the plural, as in ``pods "x" not found``."""
    message = f'{qualified(resource, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, _about(name, group, resource))


def no_such_path() -> StatusError:
    """404 for a path under which nothing is served."""
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: str, name: str, group: str = "") -> StatusError:
    """409: the name is taken."""
    message = f'{qualified(resource, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _about(name, group, resource))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: str, name: str, why: str = STALE, group: str = "") -> StatusError:
    """409: a precondition (resourceVersion, uid, field ownership) does not hold."""
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return StatusError(409, "Conflict", message, _about(name, group, resource))


def invalid(kind: str, name: str, errors: Iterable[FieldError], group: str = "") -> StatusError:
    """422: the object breaks the rules of its kind; every broken field is a cause."""
    listed = list(errors)
    texts = list(dict.fromkeys(str(error) for error in listed))
    shown = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = {**_about(name, group, kind), "causes": [error.to_cause() for error in listed]}
    return StatusError(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {shown}', details)


def forbidden(resource: str, name: str, why: str, group: str = "") -> StatusError:
    """403: authenticated, but not allowed, or refused by admission."""
    named = (
        f'{qualified(resource, group)} "{name}" is forbidden' if name else f"{qualified(resource, group)} is forbidden"
    )
    return StatusError(403, "Forbidden", f"{named}: {why}", _about(name, group, resource))


def unauthorized(message: str = "Unauthorized") -> StatusError:
    """401: no credential, or one that is not accepted. Never says which part of it was wrong."""
    return StatusError(401, "Unauthorized", message)


def gone(message: str) -> StatusError:
    """410: the resourceVersion or continue token is older than the history kept; the client must list again."""
    return StatusError(410, "Expired", message)


def bad_request(message: str) -> StatusError:
    """400: the request itself cannot be understood."""
    return StatusError(400, "BadRequest", message)


def method_not_allowed(method: str = "") -> StatusError:
    """405: the resource is there but does not know the verb."""
    what = f" ({method})" if method else ""
    return StatusError(
        405, "MethodNotAllowed", f"the server does not allow this method on the requested resource{what}"
    )


def not_acceptable(accepted: Iterable[str]) -> StatusError:
    """406: none of the media types in ``Accept`` is served."""
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return StatusError(406, "NotAcceptable", message)


def too_large(limit: int) -> StatusError:
    """413: the body is over ``limit`` bytes."""
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def unsupported_media_type(accepted: Iterable[str]) -> StatusError:
    """415: the body's Content-Type is not one of ``accepted``."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return StatusError(415, "UnsupportedMediaType", message)


def too_many_requests(message: str, retry_after: int = 1) -> StatusError:
    """429: not now; ``retry_after`` is in seconds."""
    return StatusError(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after})


def future_version(asked: int, newest: int) -> StatusError:
    """504: the client asks for a resourceVersion that this server has not reached."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Too large resource version: {asked}, current: {newest}"
    return StatusError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def internal(message: str) -> StatusError:
    """500: the server's own fault."""
    return StatusError(500, "InternalError", f"Internal error occurred: {message}")
