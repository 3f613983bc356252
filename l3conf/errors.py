"""Every error that l3conf raises on purpose, split by who must act.

::

    L3confError
    ├── UserError            the caller's input or machine: one message, exit 3, no traceback
    │   ├── InvalidFileError     a topology, implementation or report file
    │   └── MissingPrerequisiteError   a package, kernel capability, permission or reachable API
    ├── LabError             the lab or the harness broke: verdict ``error``, never ``fail``
    │   ├── BusyHostError        the machine did not let the harness run in time: worth a second try
    │   ├── LabGoneError         the lab's process has ended
    │   └── LabIncapableError    this kind of ground cannot do what was asked: verdict ``untestable``
    └── ImplementationError  the implementation under test broke its side of the adapter protocol
        ├── HookFailedError      non-zero exit
        ├── HookTimeoutError     still running at its deadline
        └── HookProtocolError    output that is not what the protocol asks for
"""

from __future__ import annotations


class L3confError(Exception):
    """Base of all deliberate errors: what was wrong, where, and the remedy."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        cure = f" ({self.remedy})" if self.remedy else ""
        return f"{place}{self.what}{cure}"


class UserError(L3confError):
    """The caller can mend it: reported as one line, exit code 3."""


class InvalidFileError(UserError):
    """A file that l3conf was given does not follow its schema or contradicts itself."""


class MissingPrerequisiteError(UserError):
    """Something this machine or cluster lacks; ``remedy`` names it."""


class LabError(L3confError):
    """The ground gave way under a test: its verdict is ``error``, never ``fail``."""


class BusyHostError(LabError):
    """The machine did not let the harness do in time what its proof rests on; at another moment it may."""

    def __init__(self, what: str, *, where: str = "") -> None:
        super().__init__(what, where=where, remedy="a less busy host")


class LabGoneError(LabError):
    """The process that holds the lab has ended."""


class LabIncapableError(LabError):
    """The ground cannot do what was asked of it, or its operator did not grant it: verdict ``untestable``."""


class ImplementationError(L3confError):
    """The implementation under test did not keep the adapter protocol."""


class HookFailedError(ImplementationError):
    """A hook ended with an exit code other than 0 and 127."""


class HookTimeoutError(ImplementationError):
    """A hook was still running at its deadline and was ended."""


class HookProtocolError(ImplementationError):
    """A hook's output was not the JSON object that the protocol asks for."""
