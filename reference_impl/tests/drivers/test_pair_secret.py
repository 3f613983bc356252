from __future__ import annotations

import base64

import pytest

from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.key_file import KeyPair
from reference_impl.drivers.pair_secret import DISCOVERY, IKE, pair_secret

EAST, WEST, SOUTH = (KeyPair(bytes([number]) * 32) for number in (1, 2, 3))


def test_both_ends_agree_without_a_word() -> None:
    assert pair_secret(EAST, WEST.public) == pair_secret(WEST, EAST.public)


def test_no_two_pairs_have_the_same_secret() -> None:
    secrets = {pair_secret(EAST, WEST.public), pair_secret(EAST, SOUTH.public), pair_secret(WEST, SOUTH.public)}
    assert len(secrets) == 3


def test_the_secret_is_neither_a_key_nor_what_wireguard_would_make_of_them() -> None:
    assert pair_secret(EAST, WEST.public) not in (EAST.private, base64.b64decode(EAST.public))
    assert len(pair_secret(EAST, WEST.public)) == 32


def test_a_key_that_agrees_with_everybody_is_refused() -> None:
    weak = base64.b64encode(b"\x01" + bytes(31)).decode()
    with pytest.raises(KernelError, match="no secret can be agreed"):
        pair_secret(EAST, weak)


def test_no_two_purposes_share_a_secret() -> None:
    assert pair_secret(EAST, WEST.public, IKE) != pair_secret(EAST, WEST.public, DISCOVERY)


@pytest.mark.parametrize("text", ["", "x", "AAAA", "no key at all"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KernelError):
        pair_secret(EAST, text)
