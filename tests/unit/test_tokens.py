"""Playback links: what they are bound to, and until when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.domain.ids import RecordingId, TenantId
from callspool.playback.tokens import Grant, Links, Refused

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ID = RecordingId("rec_" + "0a" * 16)
GRANT = Grant(TenantId("acme"), ID, 3, NOW + timedelta(minutes=15))
LINKS = Links(b"k" * 32)


@pytest.mark.rule("I9")
def test_a_link_allows_what_it_was_made_for() -> None:
    assert LINKS.check(LINKS.sign(GRANT), ID, NOW) == GRANT


@pytest.mark.parametrize("maker", ["key:key_0123456789abcdef", "user:" + "a" * 100])
def test_a_link_says_who_asked_for_it_and_nobody_can_say_otherwise(maker: str) -> None:
    grant = replace(GRANT, maker=maker)
    token = LINKS.sign(grant)
    assert LINKS.check(token, ID, NOW) == grant
    *before, _, mac = token.split(".")
    for forged in ([*before, "dXNlcjpldmU", mac], [*before, mac]):
        assert LINKS.check(".".join(forged), ID, NOW) is Refused.BAD
    assert len(token) < 320  # the straight way takes no longer ones
    assert len(LINKS.sign(replace(GRANT, maker="key:key_0123456789abcdef"))) - len(LINKS.sign(GRANT)) == 33


def test_who_made_a_link_is_known_when_it_is_over() -> None:
    token = LINKS.sign(replace(GRANT, maker="user:anna"))
    late = GRANT.expires_at + timedelta(days=1)
    assert LINKS.check(token, ID, late) is Refused.EXPIRED
    assert LINKS.read(token, ID) == replace(GRANT, maker="user:anna")
    assert LINKS.read(token[:-1] + ("A" if token[-1] != "A" else "Q"), ID) is None


def test_a_link_is_for_one_recording() -> None:
    assert LINKS.check(LINKS.sign(GRANT), RecordingId("rec_" + "0b" * 16), NOW) is Refused.BAD


def test_a_link_ends_in_the_second_it_names() -> None:
    token = LINKS.sign(GRANT)

    assert LINKS.check(token, ID, GRANT.expires_at - timedelta(milliseconds=1)) == GRANT
    assert LINKS.check(token, ID, GRANT.expires_at) is Refused.EXPIRED


def test_another_installation_s_link_allows_nothing() -> None:
    assert LINKS.check(Links(b"j" * 32).sign(GRANT), ID, NOW) is Refused.BAD


def test_a_link_of_an_older_key_plays_until_that_key_is_retired() -> None:
    new, old = b"n" * 32, b"k" * 32
    token = LINKS.sign(GRANT)

    assert Links(new, old).check(token, ID, NOW) == GRANT
    assert Links(new).check(token, ID, NOW) is Refused.BAD
    assert Links(new, old).sign(GRANT) == Links(new).sign(GRANT) != token
    # The right signature under another key's name is none.
    assert Links(new, old).check(token.replace(token.split(".")[1], Links(new).sign(GRANT).split(".")[1]), ID, NOW) is (
        Refused.BAD
    )


def test_the_installation_s_secret_signs_nothing_itself() -> None:
    token = LINKS.sign(GRANT)
    key_id = token.split(".")[1]

    assert key_id not in (b"k" * 32).hex()
    assert token.split(".")[1] != Links(b"j" * 32).sign(GRANT).split(".")[1]


@pytest.mark.rule("I9")
@given(position=st.integers(0, 200), letter=st.sampled_from("0123456789abcdefXYZ.-_v"))
def test_a_link_with_one_letter_changed_allows_nothing(position: int, letter: str) -> None:
    token = LINKS.sign(GRANT)
    position %= len(token)
    changed = token[:position] + letter + token[position + 1 :]

    assert changed == token or LINKS.check(changed, ID, NOW) in (Refused.BAD, GRANT)
    if changed != token and position < token.rindex("."):
        assert LINKS.check(changed, ID, NOW) is Refused.BAD


@given(text=st.text(max_size=120))
def test_any_text_is_refused(text: str) -> None:
    assert LINKS.check(text, ID, NOW) is Refused.BAD
