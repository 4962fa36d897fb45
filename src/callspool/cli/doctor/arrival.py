"""Whether webhooks arrive at our own public address as providers send and sign them."""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from callspool.cli.doctor.finding import Finding
from callspool.cli.doctor.web import NoAnswer, ask
from callspool.domain.tenant import Account
from callspool.wiring import PROFILES, Parts

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_NAME: Final = "public address"
_PROBE: Final = "?callspool=doctor%2Fcheck&callspool=a+b"
"""What a proxy that rewrites addresses would change."""
_PROBLEM: Final = "application/problem+json"
_AT_ONCE: Final = 5


async def public_address(parts: Parts) -> Sequence[Finding]:
    """Send ourselves a webhook of every account by the public address: it must arrive as sent. It changes nothing."""
    base = parts.settings.public_url
    url = urlsplit(base)
    if url.scheme not in {"http", "https"} or not url.hostname:
        return [Finding(_NAME, "error", base, "Set CALLSPOOL_PUBLIC_URL to https://your.host")]
    found = list(dict.fromkeys(await _arrivals(parts)))
    if url.hostname in LOOPBACK:
        return [_near(arrival) for arrival in found]
    if all(arrival.level == "ok" for arrival in found) and url.scheme == "http":
        return [Finding(_NAME, "warning", found[0].seen, "Use https: recordings are private.")]
    return found


def _near(arrival: Finding) -> Finding:
    todo = "Providers cannot reach it. Set CALLSPOOL_PUBLIC_URL to the address that you give to the provider."
    # Nothing may run yet on a machine that is being set up: then there is nothing wrong to be told.
    level = arrival.level if arrival.level == "error" and "nobody answers" not in arrival.seen else "warning"
    return Finding(_NAME, level, arrival.seen, f"{todo} {arrival.do}".strip())


async def _arrivals(parts: Parts) -> Sequence[Finding]:
    base = parts.settings.public_url.rstrip("/")
    accounts = [one for one in await parts.store.accounts() if one.provider in PROFILES]
    if not accounts:
        return [await _health(base)]
    few = asyncio.Semaphore(_AT_ONCE)

    async def arrives(account: Account) -> Finding:
        async with few:
            return await _arrival(base, account)

    return await asyncio.gather(*(arrives(account) for account in accounts))


async def _health(base: str) -> Finding:
    try:
        answer = await ask(f"{base}/healthz")
    except NoAnswer as error:
        return _nobody(base, error)
    if answer.status == 204:
        return Finding(_NAME, "ok", f"{base}: answers")
    return _unlike(f"{base}: /healthz was answered {answer.status}", answer.status, answer.location)


async def _arrival(base: str, account: Account) -> Finding:
    profile = PROFILES[account.provider]
    url = f"{base}/webhooks/{account.provider}/{account.id}{_PROBE}"
    probe = profile.probe(account, url)
    try:
        answer = await ask(url, body=probe.body, headers=probe.headers)
    except NoAnswer as error:
        return _nobody(base, error)
    if answer.status == probe.answer and answer.kind == _PROBLEM:
        signed = "a signed webhook arrives there as it was sent" if probe.answer == 422 else "webhooks arrive there"
        return Finding(_NAME, "ok", f"{base}: {signed} ({profile.title})")
    seen = f"{base}: a signed webhook of {profile.title} was answered {answer.status}"
    return _unlike(seen, answer.status, answer.location)


def _nobody(base: str, error: NoAnswer) -> Finding:
    todo = "Start 'callspool up' or 'callspool serve', and let the address lead there."
    return Finding(_NAME, "error", f"{base}: nobody answers ({error})", todo)


def _unlike(seen: str, status: int, location: str) -> Finding:
    match status:
        case 403:
            todo = (
                "What arrives is not what was signed: the proxy before callspool must pass path, query and body "
                "unchanged, and CALLSPOOL_PUBLIC_URL must be the same for the server and for this command."
            )
        case 301 | 302 | 307 | 308:
            todo = f"Providers do not follow: set CALLSPOOL_PUBLIC_URL to where it leads ({location})."
        case _:
            todo = "Something else than callspool answers there: check the proxy and CALLSPOOL_PUBLIC_URL."
    return Finding(_NAME, "error", seen, todo)
