"""``callspool fetch``, ``retry``, ``purge``, ``scrub`` and ``why``: one recording, now."""

from dataclasses import asdict
from typing import Annotated

import typer

from callspool.cli.console import err, out, print_json
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.errors import Conflict, InvalidInput, SchedulerUnavailable
from callspool.domain.ids import RecordingId, is_recording_id
from callspool.domain.job import Job, Lane, Why
from callspool.domain.reasons import POLICIES
from callspool.domain.recording import FINAL, Recording, State
from callspool.domain.tombstone import Tombstone
from callspool.domain.waiting import explain
from callspool.wiring import Parts, make_lifecycle

Id = Annotated[str, typer.Argument(metavar="RECORDING", help="rec_ and 32 hex digits.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it is ready or has failed.")]


def fetch(recording: Id, wait: Wait = False, data: Data = None, json: Json = False) -> None:
    """Fetch a recording before all others, joining what already runs."""
    recording_id = _checked(recording)

    async def work(parts: Parts) -> Recording:
        found = await parts.store.hasten(None, recording_id)
        if found.state in {State.FAILED, State.CANCELLED}:
            raise Conflict(f"{recording} is {found.state}: callspool retry {recording}")
        if found.state is State.QUEUED:
            await parts.producer.promote(_job(found))
        return await _follow(parts, found) if wait else found

    _show(run(read_settings(data), work), json=json)


def retry(recording: Id, wait: Wait = False, data: Data = None, json: Json = False) -> None:
    """Try a failed or cancelled recording again, with fresh attempts."""
    recording_id = _checked(recording)

    async def work(parts: Parts) -> Recording:
        found = await parts.store.retry(None, recording_id, actor="cli")
        try:
            await parts.producer.submit(_job(found))
        except SchedulerUnavailable:
            err.print("Saved as queued. Valkey is not running now; it is fetched when it is.")
        await parts.bulletin.ring()
        return await _follow(parts, found) if wait else found

    _show(run(read_settings(data), work), json=json)


def purge(
    recording: Id,
    why: Annotated[str, typer.Option("--why", help="Kept in its history.")] = "asked for by an operator",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Delete a recording's audio for good; a tombstone stays, the receipt. It must be ready, failed or cancelled."""
    recording_id = _checked(recording)
    if not yes:
        typer.confirm(f"Delete the audio of {recording}? It cannot be had again from here", abort=True, err=True)

    async def work(parts: Parts) -> Tombstone:
        await make_lifecycle(parts).purger.purge(None, recording_id, by=by_hand(), why=why)
        return await parts.store.tombstone(None, recording_id)

    receipt = run(read_settings(data), work)
    if json:
        print_json(asdict(receipt))
        return
    was = f"{receipt.size} bytes, SHA-256 {receipt.sha256}" if receipt.sha256 else "nothing was kept of it"
    out.print(f"{recording} was purged: {was}.\nAt {receipt.at:%Y-%m-%d %H:%M:%S} UTC, by {receipt.by}: {receipt.why}")


def scrub(
    recording: Annotated[str | None, typer.Argument(metavar="[RECORDING]", help="Without: all that are ready.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Read kept files back from the vault now and compare them with what was kept; fail where one is another.

    What is corrupt is not played any more, and fetched again where the provider still has it. One whose file was put
    back is ready again.
    """
    recording_id = None if recording is None else _checked(recording)

    async def work(parts: Parts) -> tuple[int, list[Recording]]:
        scrubber = make_lifecycle(parts).scrubber
        if recording_id is not None:
            one = await parts.store.get(None, recording_id)
            proven = await scrubber.prove(one)
            return int(one.kept is not None), [proven] if proven.state is not State.READY else []
        begun, count, bad = parts.clock.now(), 0, []
        with err.status("Reading") as line:
            while due := await parts.store.to_prove(begun, limit=100):
                for one in due:
                    proven = await scrubber.prove(one)
                    bad += [proven] if proven.state is not State.READY else []
                    count += 1
                    line.update(f"{count} files read, {len(bad)} of them corrupt")
        return count, bad

    count, bad = run(read_settings(data), work)
    if json:
        print_json({"read": count, "corrupt": [asdict(one) for one in bad]})
    else:
        out.print(f"{count} files read: " + (f"{len(bad)} are not what was kept" if bad else "all are what was kept"))
        for one in bad:
            out.print(f"  {one.id}: {one.state}")
    raise typer.Exit(1 if bad else 0)


def why(recording: Id, data: Data = None, json: Json = False) -> None:
    """Say in one sentence why a recording is not there yet."""
    recording_id = _checked(recording)

    async def work(parts: Parts) -> tuple[Recording, Why | None]:
        found = await parts.store.get(None, recording_id)
        try:
            return found, await parts.producer.why(recording_id)
        except SchedulerUnavailable:
            return found, None

    found, place = run(read_settings(data), work)
    sentence = explain(found, place, for_operator=True)
    if json:
        print_json(
            {"id": found.id, "state": found.state, "sentence": sentence, "scheduler": asdict(place) if place else None}
        )
    else:
        out.print(f"{found.id}: {found.state}. {sentence}")


def _checked(text: str) -> RecordingId:
    if not is_recording_id(text):
        raise InvalidInput("recording", f"'{text}' is not a recording's id: rec_ and 32 lower-case hex digits.")
    return RecordingId(text)


def _job(recording: Recording) -> Job:
    return Job(recording.id, recording.account_id, recording.tenant_id, Lane.INTERACTIVE)


async def _follow(parts: Parts, recording: Recording) -> Recording:
    with err.status(f"{recording.id}: {recording.state}") as line:
        async for _ in parts.bulletin.listen():
            recording = await parts.store.get(None, recording.id)
            line.update(f"{recording.id}: {recording.state}")
            if recording.state in FINAL:
                break
    return recording


def _show(recording: Recording, *, json: bool) -> None:
    sentence = POLICIES[recording.reason].sentence if recording.reason else None
    if json:
        print_json({**asdict(recording), "sentence": sentence})
    else:
        out.print(f"{recording.id}: {recording.state}" + (f" ({recording.reason}) {sentence}" if sentence else ""))
    if recording.state is State.FAILED:
        raise typer.Exit(1)
