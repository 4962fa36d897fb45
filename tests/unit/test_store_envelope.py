"""Sealing credentials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.domain.errors import Misconfigured
from callspool.store.envelope import Envelope

PLACE: dict[str, str] = {"table": "accounts", "row": "main", "field": "auth_token"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens(text: str) -> None:
    envelope = Envelope(bytes(32))

    assert envelope.open(envelope.seal(text, **PLACE), **PLACE) == text


def test_same_text_is_never_sealed_to_the_same_bytes() -> None:
    envelope = Envelope(bytes(32))

    assert len({envelope.seal("the-token", **PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize("change", [{"table": "keys"}, {"row": "second"}, {"field": "api_secret"}])
def test_sealed_text_opens_in_no_other_place(change: dict[str, str]) -> None:
    envelope = Envelope(bytes(32))
    sealed = envelope.seal("the-token", **PLACE)

    with pytest.raises(Misconfigured):
        envelope.open(sealed, **{**PLACE, **change})


def test_every_altered_bit_is_noticed() -> None:
    envelope = Envelope(bytes(32))
    sealed = envelope.seal("the-token", **PLACE)
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Misconfigured):
            envelope.open(bytes(altered), **PLACE)
    for length in range(len(sealed)):
        with pytest.raises(Misconfigured):
            envelope.open(sealed[:length], **PLACE)


def test_another_key_opens_nothing_and_the_message_says_what_to_do() -> None:
    sealed = Envelope(bytes(32)).seal("the-token", **PLACE)

    with pytest.raises(Misconfigured, match="CALLSPOOL_SECRET_KEY_FILE") as refused:
        Envelope(b"x" * 32).open(sealed, **PLACE)
    assert "the-token" not in str(refused.value)


@pytest.mark.parametrize("key", [b"", b"x" * 16, b"x" * 33])
def test_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(Misconfigured):
        Envelope(key)
