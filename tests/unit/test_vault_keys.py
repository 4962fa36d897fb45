"""Names in the vault come from our own ids and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.domain.errors import InvalidInput
from callspool.domain.ids import RecordingId, TenantId
from callspool.vault.keys import check_key, vault_key

RECORDING = RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f607")


def test_a_key_names_tenant_age_recording_attempt_and_kind() -> None:
    key = vault_key(TenantId("acme"), RECORDING, 3, "wav")
    assert key == "acme/0193a4/rec_0193a4b5c6d77e8f90a1b2c3d4e5f607-3.wav"
    assert check_key(key) == key


@given(tenant=st.text(max_size=20), recording=st.text(max_size=40), attempt=st.integers(), extension=st.text())
def test_nothing_but_ids_of_ours_makes_a_key(tenant: str, recording: str, attempt: int, extension: str) -> None:
    with pytest.raises(InvalidInput):
        vault_key(TenantId(tenant), RecordingId(recording), attempt, extension)


@pytest.mark.parametrize(
    ("tenant", "attempt", "extension"),
    [("../acme", 1, "wav"), ("acme", 0, "wav"), ("acme", -1, "wav"), ("acme", 1, "html"), ("acme", 1, "wav/..")],
)
def test_a_wrong_part_is_refused(tenant: str, attempt: int, extension: str) -> None:
    with pytest.raises(InvalidInput):
        vault_key(TenantId(tenant), RECORDING, attempt, extension)


@given(st.text())
def test_no_text_by_chance_is_a_key(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_key(text)
