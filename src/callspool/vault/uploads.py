"""Uploads in parts that nobody ends: found and given up.

The storage keeps the parts of an upload, and bills them, until it is completed or aborted. A worker that is killed does
neither, and the object storage's library can list no uploads. So these two requests are made, and signed (AWS Signature
Version 4), here.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from callspool.domain.errors import VaultUnavailable
from callspool.domain.ports import Clock
from callspool.vault.keys import is_key

MOST_PAGES: Final = 20
"""Of a thousand uploads each, in one sweep. The next one goes on."""

_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_UNRESERVED: Final = "-_.~"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where the uploads are, and who may end them."""

    endpoint: str
    name: str
    prefix: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)


async def sweep(bucket: Bucket, older_than: timedelta, *, clock: Clock, patience: timedelta) -> int:
    """Give up uploads of ours that were begun longer ago; return how many. Raises `VaultUnavailable`."""
    async with ClientBuilder().no_proxy().follow_redirects(False).timeout(patience).build() as client:
        requests = _Requests(client, bucket, clock)
        found: list[tuple[str, str]] = []
        marks: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            answer = await requests.send("GET", "", {"uploads": "", **_prefix(bucket), **marks})
            page = _read(answer)
            for upload in page.iterfind("{*}Upload"):
                key, begun = upload.findtext("{*}Key", ""), upload.findtext("{*}Initiated", "")
                if is_key(key.removeprefix(f"{bucket.prefix}/")) and _age(begun, clock) >= older_than:
                    found.append((key, upload.findtext("{*}UploadId", "")))
            if page.findtext("{*}IsTruncated") != "true":
                break
            marks = {
                "key-marker": page.findtext("{*}NextKeyMarker", ""),
                "upload-id-marker": page.findtext("{*}NextUploadIdMarker", ""),
            }
        for key, upload_id in found:
            await requests.send("DELETE", key, {"uploadId": upload_id})
        return len(found)


def _read(answer: bytes) -> ET.Element:
    try:
        return ET.fromstring(answer)  # noqa: S314 - it is from the operator's own storage
    except ET.ParseError as error:
        raise VaultUnavailable(f"The object storage's list of uploads cannot be read: {error}.") from None


def _prefix(bucket: Bucket) -> dict[str, str]:
    return {"prefix": f"{bucket.prefix}/"} if bucket.prefix else {}


def _age(begun: str, clock: Clock) -> timedelta:
    try:
        return clock.now() - datetime.fromisoformat(begun)
    except (ValueError, TypeError):
        return timedelta(-1)  # what cannot be read is left alone


class _Requests:
    """Signed requests to one bucket."""

    def __init__(self, client: Client, bucket: Bucket, clock: Clock) -> None:
        self._client = client
        self._bucket = bucket
        self._clock = clock

    async def send(self, method: str, key: str, query: Mapping[str, str]) -> bytes:
        path = quote(f"/{self._bucket.name}/{key}".rstrip("/"), safe=f"/{_UNRESERVED}")
        asked = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(query.items()))
        headers = sign(self._bucket, self._clock.now(), method, path, asked)
        request = self._client.request(method, f"{self._bucket.endpoint}{path}?{asked}").headers(headers)
        try:
            response = await request.build().send()
            body = bytes(await response.bytes())
        except PyreqwestError as error:
            raise VaultUnavailable(f"The object storage does not answer: {error.message}") from None
        if response.status not in (200, 204, 404):  # 404: somebody else was quicker
            raise VaultUnavailable(
                f"The object storage answers {response.status} to a question about unfinished uploads. "
                "Let the credentials list and abort multipart uploads."
            )
        return body or b"<none/>"


def sign(bucket: Bucket, now: datetime, method: str, path: str, query: str) -> dict[str, str]:
    """Return the header fields that show who asks; *path* and *query* are quoted, the query's names sorted."""
    moment = f"{now:%Y%m%dT%H%M%SZ}"
    scope = f"{moment[:8]}/{bucket.region}/s3/aws4_request"
    fields = {
        "host": urlsplit(bucket.endpoint).netloc,
        "x-amz-content-sha256": _NOTHING,
        "x-amz-date": moment,
    }
    names = ";".join(fields)
    canonical = "\n".join(
        [method, path, query, *(f"{name}:{value}" for name, value in fields.items()), "", names, _NOTHING]
    )
    wanted = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{bucket.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, wanted.encode(), "sha256").hex()
    fields["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={bucket.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return fields


def _quoted(text: str) -> str:
    return quote(text, safe=_UNRESERVED)
