"""The secret of two gateways, agreed on without a word between them: X25519 over the keys that both published."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from reference_impl.drivers import x25519
from reference_impl.drivers.kernel import KernelError

if TYPE_CHECKING:
    from reference_impl.drivers.key_file import Key

IKE = b"l3conf reference IKEv2 pre-shared key v1"
DISCOVERY = b"l3conf reference NAT discovery v1"
"""Purposes: they keep a secret apart from anything else that is made of the same keys (RFC 5869, 3.2)."""


def pair_secret(own: Key, peer: str, purpose: bytes = IKE) -> bytes:
    """Return the secret (32 bytes) with the owner of a public key (base64), the same at both ends.

    ``KernelError``: the other key is none, or one of the few that agree with everybody (RFC 7748, 6.1).
    """
    try:
        other = base64.b64decode(peer)
        agreed = x25519.agree(own.private, other)
    except ValueError:
        raise KernelError(f"key {peer}: no secret can be agreed on with it") from None
    both = b"".join(sorted((base64.b64decode(own.public), other)))
    return x25519.derive(agreed, purpose + both)
