"""The gateway node's private key: made here, kept here, replaced here, never sent anywhere.

It lies in a directory of the node's /run, readable by root: an agent that restarts finds it and nothing changes for
its peers, broker or not. After a reboot of the node there is a new one, and the Endpoint says so.
"""

from __future__ import annotations

import base64
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reference_impl.drivers import x25519
from reference_impl.drivers.kernel import KernelError

KEY_FILE = Path("/run/wireguard/key")


class Key(Protocol):
    """A private key and what may be known of it."""

    @property
    def private(self) -> bytes:
        """32 bytes. Never part of a plan, a log or an object."""

    @property
    def public(self) -> str:
        """Base64."""


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """An X25519 key pair. It has no text: a private key must not get into a log by accident."""

    private: bytes
    """32 bytes."""

    @property
    def public(self) -> str:
        """Return the public key in base64."""
        return public_key(self.private)


class KeyRing:
    """The node's key as it is now: everybody in this process who is given the ring sees a new one at once."""

    def __init__(self, path: Path = KEY_FILE) -> None:
        """Take up the key in the file, or make one. ``KernelError``: it cannot."""
        self._path = path
        self._pair = load_or_make(path)

    @property
    def private(self) -> bytes:
        """Return the private key."""
        return self._pair.private

    @property
    def public(self) -> str:
        """Return the public key."""
        return self._pair.public

    @property
    def age(self) -> float:
        """Return the seconds since the key was made; 0 if its file is gone."""
        with suppress(OSError):
            return time.time() - self._path.stat().st_mtime
        return 0.0

    @property
    def demand(self) -> str:
        """Return the demand that the last replacement answered; "" if there was none."""
        with suppress(OSError):
            return self._path.with_name(f"{self._path.name}.demand").read_text()
        return ""

    def replace(self, demand: str) -> None:
        """Make a new key; the old one is gone with this. ``KernelError``: it cannot."""
        made = KeyPair(x25519.generate())
        try:
            _write(self._path, made.private)
            _write(self._path.with_name(f"{self._path.name}.demand"), demand.encode())
        except OSError as error:
            raise KernelError(f"key {self._path}: {error.strerror}") from None
        self._pair = made


def public_key(private: bytes) -> str:
    """Return the public key (base64) of a private one (32 bytes)."""
    return base64.b64encode(x25519.public(private)).decode()


def load_or_make(path: Path = KEY_FILE) -> KeyPair:
    """Return the key in a file; if there is none, or half of one, make one and keep it. ``KernelError``: it cannot."""
    try:
        with suppress(FileNotFoundError):
            found = path.read_bytes()
            if len(found) == x25519.LENGTH:
                return KeyPair(found)
        made = KeyPair(x25519.generate())
        _write(path, made.private)
    except OSError as error:
        raise KernelError(f"key {path}: {error.strerror}") from None
    return made


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    scratch.rename(path)
