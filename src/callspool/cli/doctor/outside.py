"""What is reached over the network: the providers, their clocks, the workers."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from callspool.cli.doctor.arrival import LOOPBACK
from callspool.cli.doctor.finding import Finding
from callspool.cli.doctor.web import NoAnswer, ask
from callspool.domain.errors import FetchFailed
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.recording import State
from callspool.domain.tenant import Account
from callspool.playback.relay import NotThere, Seal, status_of
from callspool.scheduler.address import nodes
from callspool.wiring import Parts

_SKEW: Final = timedelta(seconds=30)
_SKEW_THAT_HURTS: Final = timedelta(minutes=5)
_LISTED: Final = timedelta(minutes=1)
_ASKED_WORKERS: Final = 50


async def accounts(parts: Parts) -> Sequence[Finding]:
    """Have each provider list an account's last minute: credentials, region and reach are right then."""
    known = await parts.store.accounts()
    if not known:
        return [Finding("accounts", "warning", "none", "callspool accounts add NAME --sid AC… --tenant TENANT")]
    return await asyncio.gather(*(_account(parts, account) for account in known))


async def _account(parts: Parts, account: Account) -> Finding:
    name, now = f"account {account.id}", parts.clock.now()
    where = urlsplit(account.base_url).hostname or account.base_url
    provider = parts.providers.get(account.provider)
    if provider is None:
        return Finding(name, "error", f"{account.provider} is no provider here", "Remove it, or update callspool.")
    elsewhere = (
        f"If it belongs to another region or address than {where}: callspool accounts set {account.id} "
        "--region REGION, or --base-url ADDRESS."
    )
    try:
        await provider.list(account, now - _LISTED, now, limit=1)
    except FetchFailed as error:
        seen = f"{where}: {error.reason}, {error}"
        if error.reason in {Reason.UNAUTHORIZED, Reason.FORBIDDEN}:
            todo = f"Check the account's id and secrets. An API key holds in one region only. {elsewhere}"
        elif error.reason is Reason.NOT_READY:  # a list is never "not ready": there is no such account
            todo = f"Nothing is known of this account there: check its id. {elsewhere}"
        elif error.reason is Reason.UNREACHABLE:
            todo = f"Check that {where} is the provider's host, and that this machine may reach it."
        else:
            todo = POLICIES[error.reason].sentence
        return Finding(name, "error", seen, todo)
    return Finding(name, "ok", f"{where} takes its credentials")


async def clock(parts: Parts) -> Sequence[Finding]:
    """Compare this machine's clock with Valkey's and each provider's."""
    findings = [_skew("Valkey", await parts.functions.time(), parts.clock.now())]
    for url in sorted({account.base_url for account in await parts.store.accounts()}):
        host = urlsplit(url).hostname or url
        try:
            said = (await ask(url)).date
            findings.append(_skew(host, parsedate_to_datetime(said), parts.clock.now()))
        except (NoAnswer, ValueError):
            continue  # the account's own check says so
    return findings


def _skew(whose: str, theirs: datetime, ours: datetime) -> Finding:
    skew = abs(theirs - ours)
    seen = f"{skew.total_seconds():.0f} s from {whose}'s"
    if skew < _SKEW:
        return Finding("clock", "ok", seen)
    todo = "Let this machine and Valkey's follow a time server (NTP): links and deadlines are wrong by so much."
    return Finding("clock", "error" if skew >= _SKEW_THAT_HURTS else "warning", seen, todo)


async def spool(parts: Parts) -> Sequence[Finding]:
    """Ask each worker that fetches now, as the API would to play what it fetches."""
    page = await parts.store.list(
        RecordingFilter(states=frozenset({State.FETCHING})), cursor=None, limit=_ASKED_WORKERS
    )
    found = [await parts.producer.locate(one.id) for one in page.recordings]
    addresses = sorted({address for address in found if address})
    if addresses:
        return await asyncio.gather(*(_worker(parts, address) for address in addresses))
    seen = "nothing is being fetched now: no worker to ask"
    valkey = parts.settings.valkey_url
    is_fleet = bool(valkey) and not valkey.startswith("unix:")
    if is_fleet and urlsplit(nodes(valkey)[0]).hostname not in LOOPBACK and _is_local(parts):
        todo = (
            "Workers on other machines cannot be heard while they fetch: give them CALLSPOOL_SPOOL_HOST, "
            "CALLSPOOL_SPOOL_PORT and CALLSPOOL_SPOOL_ADDRESS."
        )
        return [Finding("spool", "warning", f"{seen}; they listen on {parts.settings.spool_host}", todo)]
    return [Finding("spool", "ok", seen)]


def _is_local(parts: Parts) -> bool:
    return parts.settings.spool_host in LOOPBACK and not parts.settings.spool_address


async def _worker(parts: Parts, address: str) -> Finding:
    try:
        status = await status_of(address, Seal(parts.secret_key), parts.clock.now())
    except NotThere as error:
        todo = "Let this machine reach it, or correct that worker's CALLSPOOL_SPOOL_ADDRESS."
        return Finding("spool", "error", str(error), todo)
    if status == 403:
        todo = "It holds another secret key: give all processes the same CALLSPOOL_SECRET_KEY_FILE."
        return Finding("spool", "error", f"the worker at {address} refuses our signature", todo)
    return Finding("spool", "ok", f"the worker at {address} answers")
