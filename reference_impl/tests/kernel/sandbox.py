"""Kernel namespaces for tests: a test body in namespaces of its own, hosts inside it, no privilege needed."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import socket
import subprocess
import traceback
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")
_NEW_USER, _NEW_NET, _NEW_NS, _NEW_PID = 0x10000000, 0x40000000, 0x00020000, 0x20000000
_DIE_WITH_PARENT = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def sandboxed(body: Callable[P, None]) -> Callable[P, None]:
    """Run a test in a child that has its own user, network, mount and pid namespaces; its failure is the test's."""

    @functools.wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        uid, gid = os.getuid(), os.getgid()

        def isolated() -> str:
            _unshare(_NEW_USER | _NEW_NET | _NEW_NS | _NEW_PID)
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"0 {uid} 1")
            _write("/proc/self/gid_map", f"0 {gid} 1")
            return _in_child(first)

        def first() -> str:
            """Be the first process: whatever the test has started ends with it."""
            shell("mount -t proc proc /proc; ip link set lo up")
            body(*args, **kwargs)
            return ""

        failure = _in_child(isolated)
        if failure:
            pytest.fail(failure, pytrace=False)

    return run


def shell(commands: str) -> str:
    """Run shell commands in the current namespace; the first that fails raises."""
    return subprocess.run(["/bin/sh", "-ec", commands], check=True, capture_output=True, text=True).stdout


class Host:
    """A network namespace with a name, kept by a sleeping process until ``close`` or the end of the sandbox."""

    def __init__(self, name: str) -> None:
        self.name = name
        ready_read, ready_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            _unshare(_NEW_NET)
            os.write(ready_write, b"x")
            while True:
                signal.pause()
        os.read(ready_read, 1)
        os.close(ready_read)
        os.close(ready_write)
        self.shell(
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; ip link set lo up"
        )

    def run(self, function: Callable[[], str]) -> str:
        """Call a function inside; its text comes back, its exception as ``AssertionError``."""

        def inside() -> str:
            descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            if _LIBC.setns(descriptor, _NEW_NET):
                raise OSError(ctypes.get_errno(), "setns")
            return "=" + function()

        answer = _in_child(inside)
        if not answer.startswith("="):
            raise AssertionError(f"{self.name}: {answer}")
        return answer[1:]

    def shell(self, commands: str) -> str:
        """Run shell commands inside."""
        return self.run(lambda: shell(commands))

    def background(self, function: Callable[[], None]) -> None:
        """Run a function inside that goes on until the sandbox ends; returns once it was started."""
        parent = os.getpid()
        read, write = os.pipe()
        if os.fork() == 0:
            _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            _LIBC.setns(descriptor, _NEW_NET)
            try:
                os.write(write, b"x")
                function()
            finally:
                os._exit(1)
        os.read(read, 1)
        os.close(read)
        os.close(write)


def cable(left: Host, left_device: str, right: Host, right_device: str) -> None:
    """Join two hosts by a veth pair, both ends up."""
    shell(f"ip link add {left_device} netns {left.pid} type veth peer name {right_device} netns {right.pid}")
    left.shell(f"ip link set {left_device} up")
    right.shell(f"ip link set {right_device} up")


def serve_udp(port: int = 7000) -> None:
    """Answer every datagram with the address that it came from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", port))
        while True:
            _, client = server.recvfrom(65536)
            server.sendto(client[0].encode(), client)


def serve_tcp(port: int = 7000) -> None:
    """Answer every connection with the address that it came from and the number of bytes it sent."""
    with socket.create_server(("0.0.0.0", port)) as server:
        while True:
            connection, client = server.accept()
            with connection:
                size = 0
                while piece := connection.recv(65536):
                    size += len(piece)
                connection.sendall(f"{client[0]} {size}".encode())


def ask_udp(
    address: str,
    port: int = 7000,
    *,
    payload: bytes = b"?",
    seconds: float = 1.0,
    source: str = "",
    source_port: int = 0,
) -> str:
    """Return what ``serve_udp`` answers, ``timeout`` or the name of the socket error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds)
        try:
            client.bind((source, source_port))
            client.connect((address, port))
            client.send(payload)
            return client.recv(65536).decode()
        except TimeoutError:
            return "timeout"
        except OSError as error:
            return str(error.strerror)


def ask_tcp(address: str, port: int = 7000, *, payload: bytes = b"?", seconds: float = 3.0) -> str:
    """Return what ``serve_tcp`` answers, or the error's text."""
    try:
        with socket.create_connection((address, port), timeout=seconds) as client:
            client.sendall(payload)
            client.shutdown(socket.SHUT_WR)
            return client.recv(65536).decode()
    except OSError as error:
        return str(error)


def _in_child(function: Callable[[], str]) -> str:
    """Run a function in a forked child; return its text, or its traceback."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            answer = function()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent reports it
            answer = traceback.format_exc()
        try:
            with os.fdopen(write, "w") as pipe:
                pipe.write(answer)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def _unshare(flags: int) -> None:
    if _LIBC.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123 - procfs wants exactly one write
        file.write(text)
