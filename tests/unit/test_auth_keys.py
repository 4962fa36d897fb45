"""API keys: their form and what is kept of them."""

from datetime import UTC, datetime

import pytest

from callspool.domain.ids import TenantId
from callspool.domain.keys import KEY_RANDOMNESS, hash_key, is_key, new_key

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def test_what_is_kept_of_a_key_does_not_tell_it() -> None:
    key, text = new_key(TenantId("acme"), "crm", now=NOW, randomness=bytes(range(KEY_RANDOMNESS)))

    assert is_key(text)
    assert key.id == "key_0001020304050607"
    assert text.startswith("cs_0001020304050607_")
    assert key.secret_sha256 == hash_key(text)
    assert text.rsplit("_", 1)[1] not in repr(key) + key.secret_sha256
    assert key.secret_sha256 not in repr(key)


def test_a_key_needs_all_its_randomness() -> None:
    with pytest.raises(ValueError, match="40 random bytes"):
        new_key(None, "short", now=NOW, randomness=b"x")


@pytest.mark.parametrize(
    "text", ["", "cs_", "cs_0001020304050607_short", "CS_0001020304050607_" + "a" * 43, "x" * 10_000]
)
def test_other_texts_are_no_keys(text: str) -> None:
    assert not is_key(text)
