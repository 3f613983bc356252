"""What an agent imports, and that nobody else in its process is the worse for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("cryptography", "sqlite3", "pyroute2.ndb")


def _run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


@pytest.mark.parametrize("program", ["gateway", "route_agent"])
def test_an_agent_does_not_load_what_it_does_not_need(program: str) -> None:
    loaded = _run(
        f"import sys, reference_impl.__main__, reference_impl.agents.{program};"
        f" print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert loaded == "[]"


@pytest.mark.parametrize(
    "asks",
    [
        "from pyroute2 import NDB, IPRoute",
        "import pyroute2; NDB = pyroute2.NDB; IPRoute = pyroute2.IPRoute",
        "import pyroute2.ndb.main; NDB = pyroute2.ndb.main.NDB; from pyroute2 import IPRoute",
    ],
)
def test_others_in_the_process_have_the_whole_library(asks: str) -> None:
    answer = _run(
        f"from reference_impl.drivers import netlink\n{asks}\nprint(netlink.IPRoute is IPRoute, NDB.__name__)"
    )
    assert answer == "True NDB"


def test_a_library_that_is_already_there_stays_as_it_is() -> None:
    assert _run("import pyroute2; from reference_impl.drivers import netlink; print(pyroute2.NDB.__name__)") == "NDB"


def test_an_unknown_name_is_an_ordinary_error() -> None:
    answer = _run(
        "from reference_impl.drivers import netlink\ntry: import pyroute2; pyroute2.nonsense\n"
        "except AttributeError as error: print(error)"
    )
    assert "nonsense" in answer
