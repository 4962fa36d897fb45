"""Whether pages may read what an object storage sends to the players on them, where players are sent there."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from callspool.cli.doctor.finding import Finding
from callspool.cli.doctor.web import NoAnswer, ask
from callspool.domain.ids import RecordingId, TenantId
from callspool.vault.keys import vault_key
from callspool.wiring import Parts

_NOTHING: Final = vault_key(TenantId("doctor"), RecordingId("rec_" + "0" * 32), 1, "wav")
"""A file that is not there: whether a page may read an answer does not depend on what it is."""
_ELSEWHERE: Final = "null"
"""What a browser calls any page of another address than ours, once we have sent it on to a third."""


async def bucket(parts: Parts) -> Sequence[Finding]:
    """Ask the storage as a browser does that was sent there: from our own page, and from one elsewhere."""
    settings = parts.settings
    url = await parts.vault.presign(_NOTHING, settings.playback_ttl) if settings.vault_redirect else None
    if url is None:
        return []
    public = urlsplit(settings.public_url)
    ours = f"{public.scheme}://{public.netloc}"
    lists = [settings.allowed_origins.split(","), *(await parts.store.origins()).values()]
    others = {one.strip() for some in lists for one in some} - {"", ours}
    asking = {"our own page": ours, **({"pages of other addresses": _ELSEWHERE} if others else {})}
    refused = []
    for whose, origin in asking.items():
        try:
            answer = await ask(url, headers={"Origin": origin, "Range": "bytes=0-1"})
        except NoAnswer as error:
            return [
                Finding("bucket", "error", f"{parts.vault.origin}: {error}", "Let this machine and browsers reach it.")
            ]
        if answer.allows not in ("*", origin):
            refused.append(whose)
    if not refused:
        return [Finding("bucket", "ok", "pages may read what it sends to players")]
    todo = (
        "Give the bucket a CORS rule that allows GET with Range from the origin *: to who was sent on, a page of "
        "another address has no other name, and the signed address is the permission. Or send nobody there: "
        "CALLSPOOL_VAULT_REDIRECT=false."
    )
    return [Finding("bucket", "warning", f"it does not let {' and '.join(refused)} read what it sends", todo)]
