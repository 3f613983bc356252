"""Namespaces by descriptor, and the sandbox that tests run in."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.tests.sandbox import SandboxError, run_in_sandbox, sandboxed


def identity(path: str) -> Path:
    return Path(path).readlink()


def own_namespace() -> Path:
    return identity("/proc/thread-self/ns/net")


@sandboxed
def test_creating_a_namespace_leaves_the_thread_in_its_own() -> None:
    before = own_namespace()
    with NetworkNamespace.create() as namespace:
        assert own_namespace() == before
        assert identity(namespace.path) != before


@sandboxed
def test_entering_a_namespace_is_undone_even_by_an_exception() -> None:
    before = own_namespace()
    with NetworkNamespace.create() as namespace:
        with pytest.raises(FileNotFoundError), namespace.entered():
            Path(f"/missing/{own_namespace()}").read_text()
        assert own_namespace() == before


@sandboxed
def test_a_socket_belongs_to_the_namespace_that_opened_it() -> None:
    with NetworkNamespace.create() as empty, empty.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside:
        with pytest.raises(OSError, match="unreachable"):
            inside.connect(("127.0.0.1", 9))  # its loopback is down, the sandbox's is up
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
            outside.connect(("127.0.0.1", 9))


@sandboxed
def test_closing_twice_is_harmless() -> None:
    namespace = NetworkNamespace.create()
    namespace.close()
    namespace.close()
    assert namespace.fd == -1


def test_the_sandbox_is_pid_1_and_root_of_its_own_network() -> None:
    host = own_namespace()

    def look() -> tuple[int, int, Path, str]:
        return os.getpid(), os.getuid(), own_namespace(), Path("/proc/self/stat").read_text().split()[0]

    pid, uid, namespace, seen = run_in_sandbox(look)
    assert (pid, uid, seen) == (1, 0, "1")
    assert namespace != host


def test_an_exception_in_the_sandbox_comes_back_with_its_traceback() -> None:
    def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost") as caught:
        run_in_sandbox(fail)
    assert "in fail" in "".join(caught.value.__notes__)


def test_a_leaked_socket_in_the_sandbox_is_an_error() -> None:
    def leak() -> None:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    with pytest.raises(ResourceWarning, match="unclosed"):
        run_in_sandbox(leak)


def test_a_sandbox_that_dies_is_not_a_success() -> None:
    with pytest.raises(SandboxError, match="without an answer"):
        run_in_sandbox(lambda: os._exit(0))
