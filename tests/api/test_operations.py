"""Health, metrics, the page, OpenAPI, and errors in general."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from callspool.api.problems import KINDS, problem
from callspool.domain import errors
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Reason
from callspool.scheduler.connection import Functions
from callspool.vault.s3 import S3Vault
from tests.api.conftest import Api, SettableClock, running
from tests.fixtures.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server


async def test_alive_and_ready(api: Api) -> None:
    assert (await api.get("/healthz", None)).status_code == 204
    ready = await api.get("/readyz", None)
    parts = {"store": "ok", "scheduler": "ok", "vault": "ok"}
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "parts": parts})


async def test_not_ready_says_which_part(api: Api) -> None:
    await api.services.store.close()

    answer = await api.get("/readyz", None)

    assert (answer.status_code, answer.json()["parts"]["store"]) == (503, "unavailable")


async def test_not_ready_without_the_vault(api: Api) -> None:
    shutil.rmtree(api.services.vault._folder)

    answer = await api.get("/readyz", None)

    assert (answer.status_code, answer.json()["parts"]["vault"]) == (503, "unavailable")


async def test_every_problem_s_type_leads_to_a_page_that_explains_it(api: Api) -> None:
    for code, kind in KINDS.items():
        page = await api.get(json.loads(problem(code).body)["type"], None)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert f"<h1>{kind.title}</h1>" in page.text
        assert code in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert (await api.get("/problems/there-is-none", None)).status_code == 404


async def test_metrics_tell_slots_backlog_and_outcomes(api: Api) -> None:
    await api.failed(reason=Reason.GONE)
    await api.webhook()

    text = (await api.get("/metrics", None)).text

    assert 'callspool_slots{tenant="acme"} 3.0' in text
    assert 'callspool_backlog{tenant="acme"} 1.0' in text
    assert 'callspool_account_backlog{account="main"} 1.0' in text
    assert 'callspool_account_oldest_wait_seconds{account="main"}' in text
    assert 'callspool_recordings{reason="gone",state="failed",tenant="acme"} 1.0' in text


@pytest.mark.rule("I9")
@pytest.mark.parametrize("told", ["203.0.113.9", "127.0.0.1"])
async def test_metrics_through_a_proxy_need_the_operator_s_key(api: Api, told: str) -> None:
    through = {"x-forwarded-for": told}

    assert (await api.get("/metrics", None, headers=through)).status_code == 403
    assert (await api.get("/metrics", "acme", headers=through)).status_code == 403
    assert (await api.get("/metrics", "operator", headers=through)).status_code == 200


async def test_without_a_build_the_page_says_how_to_make_it(api: Api) -> None:
    answer = await api.client.get("/")

    assert answer.status_code == 200
    assert "make demo" in answer.text


async def test_the_built_page_has_a_strict_policy(api: Api) -> None:
    (api.folder / "web" / "assets").mkdir(parents=True)
    (api.folder / "web" / "index.html").write_text("<!doctype html><title>callspool</title>")
    (api.folder / "web" / "assets" / "app-1a2b.js").write_text("1")
    (api.folder / "outside.txt").write_text("canary")

    page = await api.client.get("/")
    script = await api.client.get("/assets/app-1a2b.js")

    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert (script.status_code, script.text) == (200, "1")
    assert "immutable" in script.headers["cache-control"]
    for path in ("/assets/../../outside.txt", "/assets/%2e%2e/%2e%2e/outside.txt", "/assets//etc/passwd", "/assets/"):
        assert (await api.client.get(path)).status_code == 404


async def test_unknown_addresses_and_methods_are_problems(api: Api) -> None:
    for method, path, status in (("GET", "/api/nothing", 404), ("DELETE", "/api/recordings", 405)):
        answer = await api.client.request(method, path, headers=api.as_("acme"))
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_with_the_store_away_the_answer_says_when_to_ask_again(api: Api) -> None:
    await api.services.store.close()

    answer = await api.get("/api/recordings")

    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert str(api.folder) not in answer.text


async def test_the_schema_is_printed_without_any_part(api: Api) -> None:
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "callspool.api.openapi", stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await command.communicate()
    schema = json.loads(printed)

    assert schema == (await api.client.get("/api/openapi.json")).json()
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    for operation in operations:
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and operation["operationId"] != "isReady":
                assert list(answer["content"]) == ["application/problem+json"], operation["operationId"]


def test_every_error_of_ours_has_its_row() -> None:
    ours = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}

    assert ours - set(KINDS) == {"error", "fetch_failed", "misconfigured"}  # never raised while a request is answered


async def test_the_page_may_play_from_the_storage_where_players_are_sent_there(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions, s3_server: S3Server, s3_prefix: str
) -> None:
    vault = S3Vault(BUCKET, prefix=s3_prefix, endpoint=s3_server.url, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    async with running(tmp_path, clock, store, functions, vault=vault, vault_redirect=True) as api:
        policy = (await api.client.get("/")).headers["content-security-policy"]
        recording = await api.ready()
        sent = await api.get(f"/api/recordings/{recording.id}/audio", follow_redirects=False)
    assert sent.status_code == 307
    for directive in ("media-src", "connect-src"):
        assert f"{directive} 'self' {s3_server.url};" in policy
    assert sent.headers["location"].startswith(f"{s3_server.url}/")
    assert "script-src 'self';" in policy
