"""Uploads in parts that nobody ends: found and given up.

The storage keeps the parts of an upload, and bills them, until it is completed or aborted. A worker that is killed does
neither, and the object storage's library can list no uploads. So these two requests are made here.
"""

from datetime import datetime, timedelta
from typing import Final

from callspool.domain.ports.clock import Clock
from callspool.vault.keys import is_key
from callspool.vault.s3signed import Bucket, requests_to

MOST_PAGES: Final = 20
"""Of a thousand uploads each, in one sweep. The next one goes on."""


async def sweep(bucket: Bucket, older_than: timedelta, *, clock: Clock, patience: timedelta) -> int:
    """Give up uploads of ours that were begun longer ago; return how many. Raises `VaultUnavailable`."""
    async with requests_to(bucket, clock, patience) as requests:
        found: list[tuple[str, str]] = []
        marks: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            page = (await requests.send("GET", "", {"uploads": "", **_prefix(bucket), **marks})).document()
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


def _prefix(bucket: Bucket) -> dict[str, str]:
    return {"prefix": f"{bucket.prefix}/"} if bucket.prefix else {}


def _age(begun: str, clock: Clock) -> timedelta:
    try:
        return clock.now() - datetime.fromisoformat(begun)
    except (ValueError, TypeError):
        return timedelta(-1)  # what cannot be read is left alone
