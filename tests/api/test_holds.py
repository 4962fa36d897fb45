"""Legal holds through the API: who may, what a purge is told, and that a recording shows them."""

from tests.api.conftest import Api


async def test_a_held_recording_says_so_and_cannot_be_deleted(api: Api) -> None:
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}"
    made = await api.post("/api/holds", "operator", json={"recording_id": recording.id, "why": "Doe v. Acme"})
    assert made.status_code == 201
    hold = made.json()

    refused = await api.client.delete(path, headers=api.as_("operator"))

    assert (refused.status_code, refused.json()["code"]) == (409, "held")
    assert "hold beats policy" in refused.json()["detail"]
    assert (await api.get(f"{path}/audio")).status_code == 200
    assert (await api.get(path)).json()["holds"] == [hold]  # its tenant sees it too
    assert (hold["why"], hold["tenant_id"], hold["recording_id"]) == ("Doe v. Acme", "acme", recording.id)
    assert (await api.get("/api/holds", "operator")).json() == {"holds": [hold]}
    assert (await api.get("/api/holds?tenant=bravo", "operator")).json() == {"holds": []}

    assert (await api.client.delete(f"/api/holds/{hold['id']}", headers=api.as_("operator"))).json() == hold
    assert (await api.get(path)).json()["holds"] == []
    assert (await api.client.delete(path, headers=api.as_("operator"))).status_code == 204
    late = await api.post("/api/holds", "operator", json={"recording_id": recording.id, "why": "too late"})
    assert (late.status_code, late.json()["code"]) == (409, "conflict")


async def test_a_hold_names_one_thing_and_why(api: Api) -> None:
    recording = await api.ready()
    for wish in (
        {"why": "nothing"},
        {"why": "both", "tenant_id": "acme", "recording_id": recording.id},
        {"why": "", "tenant_id": "acme"},
        {"tenant_id": "acme"},
    ):
        assert (await api.post("/api/holds", "operator", json=wish)).status_code == 422
    for wish in ({"why": "x", "tenant_id": "nobody"}, {"why": "x", "recording_id": "rec_no"}):
        assert (await api.post("/api/holds", "operator", json=wish)).status_code == 404
