"""X25519 and HKDF (RFC 7748, RFC 5869) by ``cryptography``: the only module that imports that library.

It is loaded at the first key: 7 MB that an agent without keys, as on every node but the gateways, does not hold.
"""

from __future__ import annotations

LENGTH = 32
"""Bytes of a private key, a public key and an agreed secret."""


def generate() -> bytes:
    """Return a new private key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415 - see above

    return X25519PrivateKey.generate().private_bytes_raw()


def public(private: bytes) -> bytes:
    """Return the public key of a private one. ``ValueError``: it has not 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415 - see above

    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agree(private: bytes, other: bytes) -> bytes:
    """Return what a private key and another's public key agree on.

    ``ValueError``: the other key is none, or one of the few that agree with everybody (RFC 7748, 6.1).
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415 - see above
        X25519PrivateKey,
        X25519PublicKey,
    )

    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(other))


def derive(agreed: bytes, info: bytes) -> bytes:
    """Return a secret for one purpose, made of an agreed one by HKDF with SHA-256 and no salt."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 - see above

    return HKDF(algorithm=SHA256(), length=LENGTH, salt=None, info=info).derive(agreed)
