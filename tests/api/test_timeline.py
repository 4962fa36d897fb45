"""All that happened to a recording, who listened, and the series of what became ready."""

from datetime import timedelta
from typing import Any

import pytest

from callspool.domain.reasons import Budget, Reason
from tests.api.conftest import Api, new_sid, until


async def detail(api: Api, recording_id: str, who: str = "acme") -> dict[str, Any]:
    answer = await api.get(f"/api/recordings/{recording_id}", who)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_every_webhook_is_told_also_those_that_changed_nothing(api: Api) -> None:
    sid = new_sid("RE")
    for status in ("in-progress", "completed", "completed", "in-progress"):
        assert (await api.webhook(RecordingSid=sid, RecordingStatus=status)).status_code == 204
    (recording,) = await api.recordings()

    told = await detail(api, recording.id)

    assert [(entry["event"], entry["actor"]) for entry in told["history"]] == [
        ("announce", "webhook"),
        ("enqueue", "webhook"),
    ]
    assert [one["status"] for one in told["repeats"]] == ["completed", "in_progress"]


async def test_an_attempt_tells_the_providers_answer(api: Api) -> None:
    claimed = await api.fetching()
    await api.services.store.give_up(
        *(claimed.id, claimed.attempt),
        reason=Reason.GONE,
        detail="",
        budget=Budget.TRIES,
        actor="worker:test",
        http_status=410,
    )

    assert (await detail(api, claimed.id))["history"][-1]["http_status"] == 410


@pytest.mark.rule("I9")
async def test_who_listened_is_told_once_a_listening(api: Api) -> None:
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}"
    acme, operator = ("key:key_" + api.keys[who].split("_")[1] for who in ("acme", "operator"))

    assert (await api.client.head(f"{path}/audio", headers=api.as_("acme"))).status_code == 200
    assert (await api.get(path, "operator")).json()["listens"] == []
    for start in range(0, 5000, 1000):
        ranged = {"headers": {"range": f"bytes={start}-{start + 999}"}}
        assert (await api.get(f"{path}/audio", **ranged)).status_code == 206
    link = (await api.post(f"{path}/playback", "operator")).json()["url"]
    for _ in range(2):
        assert (await api.get(link, None)).status_code == 200
    assert (await api.get(f"{path}/audio", "bravo")).status_code == 404

    async def is_told() -> bool:
        return len((await detail(api, recording.id))["listens"]) == 2

    await until(is_told)
    listens = (await detail(api, recording.id))["listens"]
    assert [(one["actor"], one["by_link"], one["how"], one["until"]) for one in listens] == [
        (acme, False, "audio", None),
        (operator, True, "audio", None),
    ]
    assert "address" not in str(listens)


async def test_throughput_is_a_series_without_gaps(api: Api) -> None:
    api.clock.ahead = timedelta(hours=-3)
    await api.ready()
    await api.failed()
    api.clock.ahead = timedelta()
    await api.ready("bravo")

    async def series(query: str = "", who: str = "operator") -> dict[str, Any]:
        told: dict[str, Any] = (await api.get(f"/api/throughput?{query}", who)).json()
        return told

    told = await series()
    points = told["points"]
    assert (told["step_s"], len(points)) == (900, 97)
    assert sum(point["ready"] for point in points) == 2
    assert [point["failed"] for point in points if point["failed"]] == [1]
    first, last = (point for point in points if point["ready"])
    assert last == points[-1]
    assert 0.1 <= first["p50_s"] <= first["p95_s"]
    assert {point["p50_s"] for point in points if not point["ready"]} == {None}
    assert sum(point["ready"] for point in (await series("hours=1"))["points"]) == 1
    assert sum(point["ready"] for point in (await series("tenant=bravo"))["points"]) == 1
    assert sum(point["failed"] for point in (await series("", "bravo"))["points"]) == 0
    month = await series("hours=744", "acme")
    assert (month["step_s"], len(month["points"]) <= 201) == (13500, True)
    assert sum(point["ready"] for point in month["points"]) == 1
