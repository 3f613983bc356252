"""What docker answers, as errors of ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import docker.errors
import requests

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator


class NotThereError(LabError, LookupError):
    """Docker knows no container, network or image of that name."""


@contextmanager
def answered(what: str) -> Iterator[None]:
    """Turn what docker refuses into ``LabError`` with its words, and what it does not know into ``NotThereError``."""
    try:
        yield
    except docker.errors.NotFound as error:
        raise NotThereError(f"docker: {words_of(error)}", where=what) from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise LabError(f"docker: {words_of(error)}", where=what) from error


def words_of(error: Exception) -> str:
    """Return docker's own words, without the request around them."""
    explanation = getattr(error, "explanation", None)
    return str(explanation or error).strip()


def first_cause(error: BaseException) -> str:
    """Return what was wrong in the first place: libraries wrap what the system said several times over."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return str(getattr(error, "strerror", None) or error)
