"""What cable drivers share that tell peers apart by public key alone (X25519)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_impl.names import PUBLIC_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.protocols.objects import Endpoint

_KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class KeyedCables:
    """The part of a ``CableDriver`` that is about keys."""

    own_identity: str = ""
    """The gateway's public key; "" on nodes that hold no cables."""
    authenticates: bool = True
    stands_by: bool = True

    @property
    def parameters(self) -> Mapping[str, str]:
        """Return the public key."""
        return {PUBLIC_KEY: self.own_identity}

    def identity(self, peer: Endpoint) -> str:
        """Return the peer's public key."""
        return peer.parameter(PUBLIC_KEY)

    def objection(self, peer: Endpoint) -> str:
        """Object to an Endpoint without a readable key."""
        return "" if is_key(self.identity(peer)) else f"backend_config.{PUBLIC_KEY} is no X25519 key"


def is_key(text: str) -> bool:
    """Say whether a text is an X25519 key as WireGuard's tools write it: 32 bytes in canonical base64, not all zero."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(key) == _KEY_LENGTH and any(key) and base64.b64encode(key).decode() == text
