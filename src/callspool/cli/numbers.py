"""``callspool tenants numbers``: whose phone number it is, where one account serves many tenants."""

from dataclasses import asdict
from typing import Annotated

import typer

from callspool.cli.console import out, print_json, print_table
from callspool.cli.context import Data, Json, read_settings, run
from callspool.domain.errors import InvalidInput
from callspool.domain.ids import TenantId, phone_number
from callspool.domain.tenant import Number
from callspool.wiring import Parts

app = typer.Typer(help="Phone numbers, by which recordings find their tenant.", no_args_is_help=True)

Given = Annotated[str, typer.Argument(help="With its country: +15550100.")]


@app.command()
def add(tenant: Annotated[str, typer.Argument()], number: Given, data: Data = None, json: Json = False) -> None:
    """Say whose number it is. What waits for it goes there within seconds."""
    one = Number(_checked(number), TenantId(tenant))
    run(read_settings(data), lambda parts: parts.store.set_number(one))
    print_json(asdict(one)) if json else out.print(f"{one.number} is a number of {tenant}.")


@app.command()
def remove(number: Given, data: Data = None, json: Json = False) -> None:
    """Forget a number. Recordings that it led to a tenant stay there."""
    gone = _checked(number)
    run(read_settings(data), lambda parts: parts.store.remove_number(gone))
    print_json({"number": gone}) if json else out.print(f"{gone} is nobody's number now.")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the numbers."""

    async def work(parts: Parts) -> list[Number]:
        return list(await parts.store.numbers())

    numbers = run(read_settings(data), work)
    if json:
        print_json([asdict(one) for one in numbers])
        return
    rows = [(one.number, one.tenant_id) for one in numbers]
    hint = "No numbers yet: callspool tenants numbers add TENANT NUMBER"
    print_table("Numbers", ("number", "tenant"), rows) if rows else out.print(hint)


def _checked(text: str) -> str:
    number = phone_number(text)
    if number is None:
        raise InvalidInput("number", f"'{text}' is not a phone number: write it with its country, such as +15550100.")
    return number
