"""Tables for spreadsheets: all that one may see, as a file, and nothing in it that runs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.domain.audit import Act, By
from callspool.domain.recording import Call
from callspool.lifecycle import export
from callspool.lifecycle.export import as_csv, guarded
from tests.api.conftest import Api

PAYLOADS = ["=cmd|'/C calc'!A0", "+49 30 1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1"]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_all_recordings_come_in_pages_as_a_file(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    ready = await api.ready()
    others = [await api.record() for _ in range(4)]
    await api.record("bravo")

    answer = await api.get("/api/export/recordings.csv")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="callspool-recordings-')
    rows = table(answer.text)
    assert {row["id"] for row in rows} == {ready.id, *(one.id for one in others)}
    assert {row["tenant_id"] for row in rows} == {"acme"}
    (kept,) = [row for row in rows if row["id"] == ready.id]
    assert (kept["sha256"], kept["state"], kept["verified"]) == (ready.kept.sha256, "ready", "true")
    filtered = await api.get("/api/export/recordings.csv?state=ready&tenant=acme", "operator")
    assert [row["id"] for row in table(filtered.text)] == [ready.id]


async def test_no_cell_of_a_recording_is_a_formula(api: Api) -> None:
    for payload in PAYLOADS:
        recording = await api.record(call_id=payload)
        await api.services.store.describe(recording.id, Call(payload, payload, payload))

    rows = table((await api.get("/api/export/recordings.csv")).text)

    assert len(rows) == len(PAYLOADS)
    for column in ("call_id", "from_number", "to_number", "direction"):
        assert {row[column] for row in rows} == {f"'{payload}" for payload in PAYLOADS}


async def test_the_audit_log_comes_whole_and_without_formulas(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 3)
    await api.services.store.audit(Act("=1+1", "@x", detail={"a": "=1"}), by=By("+evil", "-1"))

    rows = table((await api.get("/api/export/audit.csv", "operator")).text)

    entries = await api.services.store.audit_log(None, limit=200)
    assert [row["seq"] for row in rows] == [str(entry.seq) for entry in entries]
    assert [rows[0][name] for name in ("actor", "action", "target", "address")] == ["'+evil", "'=1+1", "'@x", "'-1"]
    assert (await api.get("/api/export/audit.csv")).status_code == 403


@given(st.text())
def test_whatever_a_text_is_its_cell_comes_back_and_begins_no_formula(text: str) -> None:
    shown = guarded(text)
    assert shown in (text, f"'{text}")
    assert not str(shown).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    (row,) = csv.reader(io.StringIO(as_csv([[text, "end"]]).decode("utf-8", "surrogatepass"), newline=""))
    assert row == [shown, "end"]
