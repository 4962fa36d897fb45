"""``callspool backfill`` and ``completeness``: what the provider lists, beside what is here."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from callspool.cli.console import err, out, print_json, print_table
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.backfill import DAY, UNDER_WAY, Backfill, BackfillState, DayReport
from callspool.domain.errors import InvalidInput
from callspool.domain.ids import AccountId
from callspool.wiring import Parts, make_backfiller

_LOOK_EVERY_S = 0.5
_MOST_NAMED = 5
_MOST_DAYS = 3660
_ALWAYS = ("listed", "kept", "missing")

Name = Annotated[str, typer.Option("--account", help="The account's id.")]
Until = Annotated[str | None, typer.Option(help="Before this day. Left out: until now.")]


def backfill(
    account: Annotated[str | None, typer.Option(help="The account's id.")] = None,
    since: Annotated[str | None, typer.Option(help="The first day, in UTC: 2026-11-01.")] = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing; insert nothing.")] = False,
    resume: Annotated[str | None, typer.Option(metavar="ID", help="Go on with one that was stopped.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List an account at its provider and fetch what is not here."""
    given = (account, since, until, dry_run or None)
    if any(given) if resume is not None else account is None or since is None:
        raise InvalidInput("account", "Give --account and --since, or --resume and the id of a backfill, alone.")

    async def work(parts: Parts) -> Backfill:
        if resume is not None:
            wanted = await parts.store.backfill(resume)
        else:
            first, last = _span(str(since), until, parts.clock.now())
            wanted = await parts.store.add_backfill(AccountId(str(account)), first, last, dry_run=dry_run, by=by_hand())
        return await _follow(parts, wanted, quiet=json)

    ended = run(read_settings(data), work)
    if json:
        figures = asdict(ended) | {"known": ended.known, "windows": ended.windows, "windows_done": ended.windows_done}
        print_json(figures)
    else:
        out.print(_summary(ended))
    if ended.state is not BackfillState.DONE:
        raise typer.Exit(1)


def completeness(
    account: Name,
    since: Annotated[str, typer.Option(help="The first day, in UTC: 2026-11-01.")],
    until: Until = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say for each day what became of all that the provider listed, and which days nobody listed."""

    async def work(parts: Parts) -> list[DayReport]:
        first, last = _span(since, until, parts.clock.now())
        if (parts.clock.now() - first).days > _MOST_DAYS:
            raise InvalidInput("since", f"--since: a report goes back {_MOST_DAYS} days at most.")
        before = (last or parts.clock.now() + DAY).date()
        return list(await parts.store.completeness(AccountId(account), first.date(), before))

    days = run(read_settings(data), work)
    if json:
        print_json([asdict(day) for day in days])
        return
    if listed := [day for day in days if not day.is_unknown]:
        _print_days(account, listed)
    if unknown := [day.day for day in days if day.is_unknown]:
        out.print(f"Not listed: {_in_words(unknown)}.")
        out.print(f"To list them: callspool backfill --account {account} --since {unknown[0]} --dry-run")


def _print_days(account: str, days: Sequence[DayReport]) -> None:
    """Print a table without the columns in which nothing is, then failures and gaps by name."""
    figures: dict[str, list[int]] = {
        "listed": [day.listed for day in days],
        "kept": [day.kept for day in days],
        "pending": [day.pending for day in days],
        "failed": [sum(day.failed.values()) for day in days],
        "absent": [day.absent for day in days],
        "cancelled": [day.cancelled for day in days],
        "purged": [day.purged for day in days],
        "missing": [day.missing_count for day in days],
        "vanished": [day.vanished for day in days],
    }
    shown = [name for name in figures if name in _ALWAYS or any(figures[name])]
    rows = [
        (f"{day.day}{'' if day.listed_at else '*'}", *(figures[name][place] for name in shown))
        for place, day in enumerate(days)
    ]
    print_table(f"Account {account}", ("day", *shown), rows)
    if not all(day.listed_at for day in days):
        out.print("* Only a part of the day was listed.")
    for day in days:
        if day.failed:
            out.print(f"{day.day} failed: " + ", ".join(f"{reason} {count}" for reason, count in day.failed.items()))
        if day.missing:
            named = day.missing[:_MOST_NAMED]
            more = day.missing_count - len(named)
            out.print(f"{day.day} missing: " + " ".join(named) + (f" and {more} more" if more else ""))


def _in_words(days: Sequence[date]) -> str:
    """Return the days, those that follow each other as one span."""
    spans: list[list[date]] = []
    for day in days:
        if spans and day - spans[-1][-1] == DAY:
            spans[-1][1:] = [day]
        else:
            spans.append([day])
    return ", ".join(" to ".join(map(str, span)) for span in spans)


def _span(since: str, until: str | None, now: datetime) -> tuple[datetime, datetime | None]:
    """Read both days. Raises `InvalidInput` where they are none, or no span of the past."""
    first, last = _day("since", since), None if until is None else _day("until", until)
    if first > now:
        raise InvalidInput("since", f"--since: {since} has not begun yet; days are UTC.")
    if last is not None and last <= first:
        raise InvalidInput("until", f"--until: it is the day after the last one, so it comes after --since {since}.")
    return first, last


def _day(option: str, text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput(option, f"--{option}: '{text}' is not a day such as 2026-11-01.") from None


async def _follow(parts: Parts, wanted: Backfill, *, quiet: bool) -> Backfill:
    """List here, unless a server took it first; show how far it is until it ends."""
    backfiller = make_backfiller(parts)
    listing = asyncio.create_task(backfiller.run_one(wanted.id))
    try:
        async with _shown(quiet=quiet) as show:
            now = await parts.store.backfill(wanted.id)
            while now.state in UNDER_WAY:
                show(now)
                await asyncio.wait({listing}, timeout=_LOOK_EVERY_S)
                if listing.done():
                    listing.result()  # what went wrong with it is ours to say
                    await asyncio.sleep(_LOOK_EVERY_S)
                    listing = asyncio.create_task(backfiller.run_one(wanted.id))
                now = await parts.store.backfill(wanted.id)
            show(now)
            return now
    except asyncio.CancelledError:
        err.print(f"Stopped. A server that runs goes on with it; or: callspool backfill --resume {wanted.id}")
        raise
    finally:
        listing.cancel()
        await asyncio.gather(listing, return_exceptions=True)


@asynccontextmanager
async def _shown(*, quiet: bool) -> AsyncIterator[Any]:
    """Give what shows a backfill: a bar on a terminal, else a line for each day; nothing where *quiet*."""
    if quiet:
        yield lambda _: None
        return
    if not err.is_terminal:
        told = -1

        def line(now: Backfill) -> None:
            nonlocal told
            if now.windows_done != told:
                told = now.windows_done
                err.print(_progress(now))

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda now: progress.update(
            task, completed=now.windows_done, total=now.windows, description=f"{now.account_id}: {_figures(now)}"
        )


def _progress(now: Backfill) -> str:
    return f"{now.windows_done} of {now.windows} days: {_figures(now)}"


def _figures(now: Backfill) -> str:
    inserted = "missing" if now.dry_run else "inserted"
    return f"{now.listed} listed, {now.inserted} {inserted}, {now.vanished} vanished"


def _summary(ended: Backfill) -> str:
    what = "Dry run" if ended.dry_run else "Backfill"
    text = f"{what} of {ended.account_id} {ended.since:%Y-%m-%d} to {ended.until:%Y-%m-%d %H:%M} UTC: {ended.state}. "
    return text + f"{_figures(ended)}, {ended.known} known." + (f" {ended.error}" if ended.error else "")
