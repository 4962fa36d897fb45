"""``callspool doctor`` where players are sent to the bucket: may the pages on which they are read what it sends?"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyreqwest.client import ClientBuilder

from callspool.cli.doctor import pages
from callspool.settings import Settings
from callspool.vault.s3signed import Bucket, sign
from callspool.wiring import open_parts
from tests.fixtures.s3 import ACCESS_KEY, SECRET_KEY, S3Server

PUBLIC = "https://calls.example"


async def set_rule(server: S3Server, name: str, *origins: str) -> None:
    """Make a bucket with a CORS rule, as its owner does."""
    bucket = Bucket(server.url, name, "", "us-east-1", ACCESS_KEY, SECRET_KEY)
    rules = "".join(f"<AllowedOrigin>{origin}</AllowedOrigin>" for origin in origins)
    rule = f"<CORSRule>{rules}<AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule>"
    async with ClientBuilder().no_proxy().build() as client:
        for query, body in (("", b""), ("cors=", f"<CORSConfiguration>{rule}</CORSConfiguration>".encode())):
            fields = _signed(bucket, query, body)
            request = client.put(f"{server.url}/{name}?{query}").headers(fields).body_bytes(body)
            response = await request.build().send()
            assert response.status == 200, await response.text()


def _signed(bucket: Bucket, query: str, body: bytes) -> dict[str, str]:
    import hashlib

    return sign(bucket, datetime.now(UTC), "PUT", f"/{bucket.name}", query, hashlib.sha256(body).hexdigest(), {})


async def found(server: S3Server, folder: Path, name: str, **given: Any) -> Sequence[tuple[str, str]]:
    """Return what the doctor finds of it."""
    settings = Settings.read(
        {},
        data=folder,
        public_url=PUBLIC,
        vault_url=f"s3://{name}?endpoint={server.url}",
        vault_access_key=ACCESS_KEY,
        vault_secret_key=SECRET_KEY,
        **{"vault_redirect": True, **given},
    )
    async with open_parts(settings) as parts:
        return [(one.level, one.seen) for one in await pages.bucket(parts)]


@pytest.mark.parametrize(
    ("origins", "allowed", "level", "named"),
    [
        (["*"], "*", "ok", ""),
        ([PUBLIC], PUBLIC, "ok", ""),
        ([PUBLIC], "*", "warning", "let pages of other addresses read"),
        ([PUBLIC, "https://crm.example"], "https://crm.example", "warning", "let pages of other addresses read"),
        (["https://crm.example"], "*", "warning", "let our own page and pages of other addresses read"),
    ],
)
async def test_doctor_asks_the_bucket_as_pages_would(
    s3_server: S3Server, s3_prefix: str, tmp_path: Path, origins: list[str], allowed: str, level: str, named: str
) -> None:
    name = f"cors-{s3_prefix}"
    await set_rule(s3_server, name, *origins)

    ((seen_level, seen),) = await found(s3_server, tmp_path, name, allowed_origins=allowed)

    assert seen_level == level, seen
    assert named in seen


async def test_doctor_asks_no_bucket_where_no_player_is_sent_to_it(
    s3_server: S3Server, s3_prefix: str, tmp_path: Path
) -> None:
    assert await found(s3_server, tmp_path, f"cors-{s3_prefix}", vault_redirect=False) == []
