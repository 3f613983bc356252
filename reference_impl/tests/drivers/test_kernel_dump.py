from __future__ import annotations

from reference_impl.drivers.kernel_dump import Decoded

HEADERS = (b"1" * 16, b"2" * 16)


def test_what_was_said_before_is_not_decoded_again_whatever_its_sequence_number() -> None:
    asked: list[bytes] = []

    def decode(message: bytes) -> tuple[str, ...]:
        asked.append(message)
        return (message[16:].decode(),)

    decoded: Decoded[str] = Decoded()
    for header in HEADERS:
        assert decoded.values([header + b"a", header + b"b"], decode) == {"a", "b"}
    assert asked == [HEADERS[0] + b"a", HEADERS[0] + b"b"]


def test_what_is_not_said_any_more_is_forgotten() -> None:
    decoded: Decoded[str] = Decoded()
    decoded.values([HEADERS[0] + b"a"], lambda message: (message[16:].decode(),))
    assert decoded.values([], lambda _message: ("never asked",)) == frozenset()
    assert decoded.values([HEADERS[0] + b"a"], lambda _message: ("decoded anew",)) == {"decoded anew"}


def test_a_message_that_means_nothing_to_the_owner_is_remembered_as_such() -> None:
    asked: list[bytes] = []
    decoded: Decoded[str] = Decoded()

    def decode(message: bytes) -> tuple[str, ...]:
        asked.append(message)
        return ()

    for header in HEADERS:
        assert decoded.values([header + b"of somebody else"], decode) == frozenset()
    assert len(asked) == 1
