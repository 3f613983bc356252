"""The gateway node's private key: made here, kept here, never sent anywhere.

It lies in a directory of the node's /run, readable by root: an agent that restarts finds it and nothing changes for
its peers, broker or not. After a reboot of the node there is a new one, and the Endpoint says so.
"""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from reference_impl.drivers.kernel import KernelError

KEY_FILE = Path("/run/wireguard/key")
_LENGTH = 32


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """An X25519 key pair. It has no text: a private key must not get into a log by accident."""

    private: bytes
    """32 bytes."""

    @property
    def public(self) -> str:
        """Return the public key in base64."""
        return public_key(self.private)


def public_key(private: bytes) -> str:
    """Return the public key (base64) of a private one (32 bytes)."""
    return base64.b64encode(X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()).decode()


def load_or_make(path: Path = KEY_FILE) -> KeyPair:
    """Return the key in a file; if there is none, or half of one, make one and keep it. ``KernelError``: it cannot."""
    try:
        with suppress(FileNotFoundError):
            found = path.read_bytes()
            if len(found) == _LENGTH:
                return KeyPair(found)
        made = KeyPair(X25519PrivateKey.generate().private_bytes_raw())
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
