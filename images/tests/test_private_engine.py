"""An engine of its own leaves nothing on this host, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from images.tests.conftest import ROOT
from images.tests.host_state import host_state
from images.tests.private_engine import NoEngineError, PrivateEngine, processes_of

if TYPE_CHECKING:
    from pathlib import Path

ENGINE_OF_ANOTHER = """
import sys
from pathlib import Path
from images.tests.private_engine import PrivateEngine
with PrivateEngine(Path(sys.argv[1])) as engine:
    engine.client.networks.create("l3conf-north")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_an_engine_of_its_own_changes_nothing_of_the_host(tmp_path: Path) -> None:
    before = host_state()
    try:
        engine = PrivateEngine(tmp_path)
    except NoEngineError as error:
        pytest.skip(str(error))
    with engine:
        engine.client.networks.create("l3conf-north")
        assert "DOCKER" in engine.inside("nft", "list", "ruleset")
        assert host_state() == before
        assert engine.processes()
    assert not engine.processes()
    assert host_state() == before


def test_an_engine_that_does_not_listen_yet_is_waited_for(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("dockerd cannot be started here")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "docker.sock"))  # refuses, as an engine does between bind(2) and listen(2)
        with PrivateEngine(tmp_path) as engine:
            assert engine.client.ping()


def test_an_engine_ends_with_the_process_that_started_it(engine: PrivateEngine, tmp_path: Path) -> None:
    del engine  # where it starts another one does
    before = host_state()
    with subprocess.Popen(
        [sys.executable, "-c", ENGINE_OF_ANOTHER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert processes_of(tmp_path)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while processes_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not processes_of(tmp_path)
    assert host_state() == before
