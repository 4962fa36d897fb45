"""``callspool tombstones``: what was purged stays gone, also after an older copy of the database was put back."""

from dataclasses import asdict

import typer

from callspool.cli.console import out, print_json
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.lifecycle.replay import Replayed, export_tombstones, replay_tombstones
from callspool.wiring import Parts, make_lifecycle

app = typer.Typer(help="Tombstones in the vault: what was purged stays gone.", no_args_is_help=True)


@app.command()
def replay(data: Data = None, json: Json = False) -> None:
    """Purge again what the vault has tombstones of. A server does it when it starts, and before each sweep."""

    async def work(parts: Parts) -> Replayed:
        return await replay_tombstones(parts.store, parts.vault, make_lifecycle(parts).purger, by=by_hand())

    done = run(read_settings(data), work)
    if json:
        print_json(asdict(done))
        return
    out.print(f"{done.seen} tombstones: {done.purged} purged again, {done.held} held, {done.unknown} not known here.")
    if done.held:
        out.print("What is held was purged before, and a hold lies on it in this database: callspool hold list")


@app.command()
def export(data: Data = None, json: Json = False) -> None:
    """Leave a tombstone in the vault of all that was purged before purges left one."""
    count = run(read_settings(data), lambda parts: export_tombstones(parts.store, make_lifecycle(parts).purger))
    print_json({"tombstones": count}) if json else out.print(f"The vault has tombstones of {count} purged recordings.")
