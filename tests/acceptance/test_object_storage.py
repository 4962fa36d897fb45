"""The main job with the vault in a bucket: fetched by a worker, kept there, played from there, made smaller, purged.

Also with server and worker on machines of their own: all that they share is database, Valkey, bucket and secret key.
"""

import socket
from pathlib import Path

import httpx
import pytest

from callspool.domain.recording import State
from tests.acceptance.system import system
from tests.fixtures.ports import free_port
from tests.fixtures.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server


@pytest.mark.rule("I3")
async def test_recording_is_kept_in_a_bucket_and_played_from_it(
    tmp_path: Path, s3_server: S3Server, s3_prefix: str
) -> None:
    where = f"s3://{BUCKET}/{s3_prefix}?endpoint={s3_server.url}"
    given = {"play_wait": 60, "vault_url": where, "vault_access_key": ACCESS_KEY, "vault_secret_key": SECRET_KEY}
    async with system(tmp_path, **given) as running:
        await running.worker()
        queued = await running.call(duration_s=300.0, channels=2)  # in parts
        ready = await running.reaches(queued, State.READY)
        assert ready.kept is not None
        assert ready.kept.size > 8 << 20
        made = next(one for one in running.simulator.recordings.values() if one.sid == queued.provider_recording_id)
        whole = await running.simulator.audio(made)
        async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
            headers = {"authorization": f"Bearer {running.key}"}
            answer = await client.get(f"/api/recordings/{queued.id}/audio", headers=headers)
            part = await client.get(f"/api/recordings/{queued.id}/audio", headers={**headers, "range": "bytes=-1000"})
            smaller = await client.get(f"/api/recordings/{queued.id}/audio?rendition=opus", headers=headers, timeout=60)
            assert (smaller.status_code, smaller.headers["content-type"]) == (200, "audio/ogg")
            assert len(smaller.content) < len(whole) / 4
            kept = [key async for key in running.parts.vault.keys(ready.tenant_id, ready.id)]
            assert sorted(kept) == [f"{ready.kept.vault_key}{more}" for more in ("", ".opus", ".peaks")]
            assert (await client.delete(f"/api/recordings/{queued.id}", headers=headers)).status_code == 204
            assert [key async for key in running.parts.vault.keys(ready.tenant_id, ready.id)] == []
    assert answer.content == whole
    assert (part.status_code, part.content) == (206, whole[-1000:])
    assert not (tmp_path / "data" / "vault").exists()


@pytest.mark.rule("F2", "F12", "S6")
async def test_server_and_worker_share_no_folder_and_a_recording_plays_while_it_comes(
    tmp_path: Path, s3_server: S3Server, s3_prefix: str
) -> None:
    where = f"s3://{BUCKET}/{s3_prefix}?endpoint={s3_server.url}"
    given = {"play_wait": 60, "vault_url": where, "vault_access_key": ACCESS_KEY, "vault_secret_key": SECRET_KEY}
    async with system(tmp_path, **given) as running:
        ours, theirs, port = tmp_path / "data", tmp_path / "theirs", free_port()
        name = socket.gethostname()
        await running.worker(
            CALLSPOOL_DATA=str(theirs),
            CALLSPOOL_DATABASE_URL=f"sqlite:///{ours / 'callspool.db'}",
            CALLSPOOL_VALKEY_URL=running.valkey.url,
            CALLSPOOL_SECRET_KEY_FILE=str(ours / "secret.key"),
            CALLSPOOL_SPOOL_HOST="0.0.0.0",
            CALLSPOOL_SPOOL_PORT=str(port),
            CALLSPOOL_SPOOL_ADDRESS=f"{name}:{port}",
        )
        queued = await running.call(duration_s=4.0, channels=2, faults=["drip:60000"])
        await running.is_downloading(queued)
        assert await running.parts.producer.locate(queued.id) == f"{name}:{port}"
        heard = b""
        async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=60) as client:
            headers = {"authorization": f"Bearer {running.key}"}
            url = f"/api/recordings/{queued.id}/audio"
            async with client.stream("GET", url, headers=headers) as response:
                async for data in response.aiter_raw():
                    if not heard:
                        (download,) = running.log()
                        assert download.end is None  # it is heard while it comes
                        assert [path.name for path in (theirs / "spool").rglob("*.part")] == [f"{queued.id}-1.part"]
                    heard += data
            ready = await running.reaches(queued, State.READY)
            again = await client.get(url, headers=headers)
        made = next(one for one in running.simulator.recordings.values() if one.sid == queued.provider_recording_id)
        whole = await running.simulator.audio(made)
    assert heard == whole
    assert again.content == whole
    assert ready.attempt == 1
    assert len(running.log()) == 1
    assert not (ours / "spool").exists()
    assert not list(theirs.rglob("*.wav"))
