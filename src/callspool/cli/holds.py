"""``callspool hold``: what must not be deleted, whatever a person or a policy says."""

from dataclasses import asdict
from typing import Annotated

import typer

from callspool.cli.console import out, print_json, print_table
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.errors import InvalidInput
from callspool.domain.hold import Hold
from callspool.domain.ids import RecordingId, TenantId, is_recording_id
from callspool.wiring import Parts

app = typer.Typer(help="Legal holds: what is held is not purged, by nobody.", no_args_is_help=True)

Why = Annotated[str, typer.Option("--why", help="The matter. Whoever wants to delete is told.")]


@app.command()
def add(
    why: Why,
    recording: Annotated[str | None, typer.Argument(metavar="[RECORDING]", help="rec_ and 32 hex digits.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Hold all of a tenant, what comes too.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Hold a recording or a tenant. Several holds may lie on the same thing."""
    if (recording is None) == (tenant is None):
        raise InvalidInput("recording", "Name a recording, or a tenant with --tenant.")
    if recording is not None and not is_recording_id(recording):
        raise InvalidInput("recording", f"'{recording}' is not a recording's id: rec_ and 32 lower-case hex digits.")

    async def work(parts: Parts) -> Hold:
        if recording is not None:
            return await parts.store.hold_recording(None, RecordingId(recording), why=why, by=by_hand())
        return await parts.store.hold_tenant(TenantId(tenant or ""), why=why, by=by_hand())

    hold = run(read_settings(data), work)
    print_json(asdict(hold)) if json else out.print(f"{_held(hold)} is held: {hold.id}")


@app.command()
def remove(hold_id: Annotated[str, typer.Argument(metavar="HOLD_ID")], data: Data = None, json: Json = False) -> None:
    """Remove a hold; others on the same thing go on."""
    hold = run(read_settings(data), lambda parts: parts.store.remove_hold(hold_id, by=by_hand()))
    print_json(asdict(hold)) if json else out.print(f"{hold.id} is removed from {_held(hold)}.")


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List what is held, since when and why."""
    found = run(read_settings(data), lambda parts: parts.store.holds(TenantId(tenant) if tenant else None))
    if json:
        print_json([asdict(hold) for hold in found])
        return
    table = [(one.id, _held(one), one.tenant_id, one.created_at, one.actor, one.why) for one in found]
    columns = ("hold", "what", "tenant", "since", "by", "why")
    print_table("Legal holds", columns, table) if table else out.print("Nothing is held.")


def _held(hold: Hold) -> str:
    return hold.recording_id or f"all of {hold.tenant_id}"
