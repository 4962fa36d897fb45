"""Requests to an object storage that its library does not make: signed (AWS Signature Version 4) and sent here."""

import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from callspool.domain.errors import VaultUnavailable
from callspool.domain.ports.clock import Clock

_UNRESERVED: Final = "-_.~"
_CODE: Final = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")
_EXPECTED: Final = frozenset({200, 204, 404, 412})
"""404: somebody else was quicker; 412: something is there."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where the objects are, and who may write them."""

    endpoint: str
    name: str
    prefix: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)

    def key_of(self, path: str) -> str:
        """Return the whole key of a path below the prefix."""
        return f"{self.prefix}/{path}" if self.prefix else path


@dataclass(frozen=True, slots=True)
class Answer:
    """What the storage said."""

    status: int
    body: bytes
    etag: str
    checksum: str
    """SHA-256 of what was sent, in base64."""

    def document(self) -> ET.Element:
        """Read it as XML. Raises `VaultUnavailable`."""
        try:
            return ET.fromstring(self.body or b"<none/>")  # noqa: S314 - it is from the operator's own storage
        except ET.ParseError as error:
            raise VaultUnavailable(f"The object storage's answer cannot be read: {error}.") from None


class Requests:
    """Signed requests to one bucket."""

    def __init__(self, client: Client, bucket: Bucket, clock: Clock) -> None:
        self._client = client
        self._bucket = bucket
        self._clock = clock

    async def send(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one; the storage checks that the body is the one that was signed. Raises `VaultUnavailable`."""
        path = quote(f"/{self._bucket.name}/{key}".rstrip("/"), safe=f"/{_UNRESERVED}")
        asked = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(query.items()))
        digest = hashlib.sha256(body)
        checksum = base64.b64encode(digest.digest()).decode()
        ours = {**(headers or {}), **({"x-amz-checksum-sha256": checksum} if method == "PUT" else {})}
        fields = sign(self._bucket, self._clock.now(), method, path, asked, digest.hexdigest(), ours)
        request = self._client.request(method, f"{self._bucket.endpoint}{path}?{asked}").headers(fields)
        try:
            response = await (request.body_bytes(body) if body else request).build().send()
            told = bytes(await response.bytes())
        except PyreqwestError as error:
            raise VaultUnavailable(f"The object storage does not answer: {error.message}") from None
        answer = Answer(response.status, told, response.get_header("etag") or "", checksum)
        if answer.status not in _EXPECTED:
            found = _CODE.search(told)
            why = f" ({found[1].decode()})" if found else ""
            raise VaultUnavailable(
                f"The object storage answers {answer.status}{why} to a request about an upload in parts. "
                "Let the credentials make, list and abort multipart uploads."
            )
        return answer


@asynccontextmanager
async def requests_to(bucket: Bucket, clock: Clock, patience: timedelta) -> AsyncIterator[Requests]:
    """Send requests to *bucket*, each answered within *patience*, while the block runs."""
    async with ClientBuilder().no_proxy().follow_redirects(False).timeout(patience).build() as client:
        yield Requests(client, bucket, clock)


def sign(
    bucket: Bucket, now: datetime, method: str, path: str, query: str, digest: str, headers: Mapping[str, str]
) -> dict[str, str]:
    """Return *headers* and those that show who asks; *path* and *query* are quoted, the query's names sorted.

    *digest* is the body's SHA-256 in hex.
    """
    moment = f"{now:%Y%m%dT%H%M%SZ}"
    scope = f"{moment[:8]}/{bucket.region}/s3/aws4_request"
    given = {
        **headers,
        "host": urlsplit(bucket.endpoint).netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": moment,
    }
    fields = {name.lower(): given[name] for name in sorted(given, key=str.lower)}
    names = ";".join(fields)
    canonical = "\n".join(
        [method, path, query, *(f"{name}:{value.strip()}" for name, value in fields.items()), "", names, digest]
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
