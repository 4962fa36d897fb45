"""``callspool users``: people who sign in to the dashboard. Only a hash of a password is kept."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from callspool.api.passwords import Passwords
from callspool.cli.console import masked, out, print_json, print_table
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.errors import InvalidInput
from callspool.domain.ids import TenantId
from callspool.domain.session import Session, User, is_user_name
from callspool.wiring import Parts

app = typer.Typer(help="People who sign in to the dashboard by name and password.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name or a mail address, in lower case.")],
    tenant: Annotated[str | None, typer.Option(help="Show this tenant only. Without: an operator.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Add a user. The password is typed, or piped in: never on the command line, where others can read it."""
    if not is_user_name(name):
        raise InvalidInput("name", f"'{name}' cannot name a user: use up to 100 lower-case letters, digits and ._@+-")
    password = _password()

    async def work(parts: Parts) -> User:
        kept = await Passwords().make(password)
        user = User(name, TenantId(tenant) if tenant else None, kept, parts.clock.now())
        await parts.store.add_user(user, by=by_hand())
        return user

    user = run(read_settings(data), work, may_create=True)
    print_json(_shown(user)) if json else out.print(f"User {name} may sign in, as {_role(user)}.")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the users."""
    users = run(read_settings(data), lambda parts: parts.store.users())
    if json:
        print_json([_shown(user) for user in users])
        return
    rows = [(user.name, _role(user), user.created_at) for user in users]
    print_table("Users", ("user", "of", "made"), rows) if rows else out.print("No users yet: callspool users add NAME")


@app.command()
def remove(name: Annotated[str, typer.Argument()], data: Data = None, json: Json = False) -> None:
    """Remove a user and end all its sessions at once."""
    run(read_settings(data), lambda parts: parts.store.remove_user(name, by=by_hand()))
    print_json({"name": name}) if json else out.print(f"User {name} is removed.")


@app.command()
def password(name: Annotated[str, typer.Argument()], data: Data = None, json: Json = False) -> None:
    """Give a user another password, typed or piped in, and end all of its sessions."""
    given = _password()

    async def work(parts: Parts) -> int:
        return await parts.store.set_password(name, await Passwords().make(given), by=by_hand())

    ended = run(read_settings(data), work)
    print_json({"name": name, "ended": ended}) if json else out.print(
        f"User {name} has another password. {_ended(ended)}"
    )


@app.command()
def sessions(
    name: Annotated[str, typer.Argument()],
    end: Annotated[bool, typer.Option("--end", help="End all of them at once.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """List where a user is signed in, or end it."""

    async def work(parts: Parts) -> tuple[Sequence[Session], int]:
        found = await parts.store.sessions_of(name)
        return found, await parts.store.end_sessions(name, by=by_hand()) if end else 0

    found, ended = run(read_settings(data), work)
    times = [{"created_at": one.created_at, "expires_at": one.expires_at} for one in found]
    if json:
        print_json({"name": name, "sessions": times, "ended": ended})
    elif end:
        out.print(_ended(ended))
    elif times:
        print_table("Sessions", ("signed in", "ends"), [tuple(one.values()) for one in times])
    else:
        out.print(f"{name} is signed in nowhere.")


def _ended(count: int) -> str:
    return f"{count} sessions were ended."


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _role(user: User) -> str:
    return f"tenant {user.tenant_id}" if user.tenant_id else "operator"


def _shown(user: User) -> dict[str, object]:
    return {name: value for name, value in masked(asdict(user)).items() if name != "password_hash"}
