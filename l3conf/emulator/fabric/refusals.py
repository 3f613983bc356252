"""What the kernel refuses, as errors that say what to do about it."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from l3conf.errors import LabError, MissingPrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def explained() -> Iterator[None]:
    """Turn an ``OSError`` into ``MissingPrerequisiteError`` where the caller can mend it, else ``LabError``."""
    try:
        yield
    except OSError as error:
        what = f"the kernel refused to build the fabric: {error.strerror}"
        if error.errno in (errno.EPERM, errno.EACCES):
            raise MissingPrerequisiteError(what, remedy="run in a user namespace, or as root") from error
        if error.errno in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
            remedy = "use a kernel with network namespaces, veth and bridge"
            raise MissingPrerequisiteError(what, remedy=remedy) from error
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise MissingPrerequisiteError(what, remedy="raise the limit of open files (ulimit -n)") from error
        raise LabError(what) from error


@contextmanager
def gone_already() -> Iterator[None]:
    """Let pass that what was to be removed is not there: others on a node remove routes and neighbours, too."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.ENOENT, errno.ENODEV):
            raise
