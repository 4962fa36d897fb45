"""``callspool webhooks``: who is told what becomes of recordings."""

import secrets
from dataclasses import asdict
from typing import Annotated

import typer

from callspool.cli.console import masked, out, print_json, print_table
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.errors import CallspoolError
from callspool.domain.ids import TenantId
from callspool.domain.webhook import SECRET_BYTES, Subject, check_url, new_endpoint, new_secret, trial_message
from callspool.wiring import Parts

app = typer.Typer(help="Signed messages to others when a recording is ready, failed or purged.", no_args_is_help=True)

EndpointId = Annotated[str, typer.Argument(metavar="ENDPOINT_ID")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where messages are posted: https, a public address.")],
    tenant: Annotated[str | None, typer.Option(help="Tell it of one tenant. Without: of all.")] = None,
    event: Annotated[list[Subject] | None, typer.Option(help="What it is told; may be repeated. Without: all.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Add an endpoint and show its secret once."""
    settings = read_settings(data)
    check_url(url, private=settings.webhook_private)

    async def work(parts: Parts) -> None:
        endpoint = new_endpoint(
            TenantId(tenant) if tenant else None,
            url,
            event or list(Subject),
            now=parts.clock.now(),
            randomness=secrets.token_bytes(SECRET_BYTES + 8),
        )
        await parts.store.add_endpoint(endpoint, by=by_hand())
        if json:
            print_json(masked(asdict(endpoint)) | {"secret": endpoint.secret})
            return
        out.print(f"{endpoint.secret}\nThis is the only time that it is shown. The endpoint's id is {endpoint.id}.")

    run(settings, work, may_create=True)


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the endpoints and whether they are well."""
    found = run(read_settings(data), lambda parts: parts.store.endpoints(None))
    if json:
        print_json([masked(asdict(one)) for one in found])
        return
    table = [
        (one.id, one.tenant_id or "all", one.url, " ".join(one.events), one.disabled_because or one.failing_since)
        for one in found
    ]
    columns = ("endpoint", "tenant", "url", "events", "disabled, or failing since")
    hint = "No endpoints yet: callspool webhooks add URL"
    print_table("Webhook endpoints", columns, table) if table else out.print(hint)


@app.command()
def remove(endpoint_id: EndpointId, data: Data = None) -> None:
    """Remove an endpoint; messages that wait are not sent any more."""
    run(read_settings(data), lambda parts: parts.store.remove_endpoint(None, endpoint_id, by=by_hand()))
    out.print(f"Endpoint {endpoint_id} is removed.")


@app.command()
def enable(endpoint_id: EndpointId, data: Data = None) -> None:
    """Let a disabled endpoint be told again, of what waits too."""
    run(read_settings(data), lambda parts: parts.store.enable_endpoint(None, endpoint_id, by=by_hand()))
    out.print(f"Endpoint {endpoint_id} is told again.")


@app.command()
def rotate(endpoint_id: EndpointId, data: Data = None, json: Json = False) -> None:
    """Give an endpoint a new secret and show it once. For a day messages are signed with the old one too."""
    secret = new_secret(secrets.token_bytes(SECRET_BYTES))
    changed = run(
        read_settings(data), lambda parts: parts.store.rotate_endpoint(None, endpoint_id, secret, by=by_hand())
    )
    if json:
        print_json(masked(asdict(changed)) | {"secret": secret})
        return
    out.print(f"{secret}\nThis is the only time that it is shown. The old one holds until {changed.previous_until}.")


@app.command()
def deliveries(
    endpoint_id: EndpointId,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    data: Data = None,
    json: Json = False,
) -> None:
    """List an endpoint's newest messages and what came of them."""
    found = run(read_settings(data), lambda parts: parts.store.deliveries(None, endpoint_id, limit=limit))
    if json:
        print_json([asdict(one) for one in found])
        return
    table = [
        (one.id, one.type, one.recording_id, one.state, one.attempts, one.error, one.not_before or one.ended_at)
        for one in found
    ]
    columns = ("message", "type", "recording", "state", "tries", "error", "next or ended")
    print_table("Messages", columns, table) if table else out.print("It has been told nothing yet.")


@app.command("test")
def try_out(endpoint_id: EndpointId, data: Data = None) -> None:
    """Send an endpoint a message of type webhook.test now, and say what it answers."""
    from callspool.fetch.sender import send

    settings = read_settings(data)

    async def work(parts: Parts) -> None:
        endpoint = await parts.store.endpoint(None, endpoint_id)
        now = parts.clock.now()
        number, body = f"test_{secrets.token_hex(8)}", trial_message(now)
        answer = await send(endpoint, number, body, now, private=settings.webhook_private)
        if answer.error is not None:
            raise CallspoolError(f"The message did not arrive: {answer.error}.")
        out.print(f"It has arrived: the endpoint answered {answer.status}.")

    run(settings, work)
