"""``callspool accounts``: how credentials get in, how they are changed, and that they are never shown."""

import asyncio
import json
from pathlib import Path

from typer.testing import CliRunner

from callspool.cli.app import app
from callspool.domain.ids import AccountId
from callspool.domain.tenant import Account
from callspool.settings import Settings
from callspool.wiring import open_parts

SID = "AC" + "c" * 32


def run(*args: str, typed: str = "") -> tuple[int, str, str]:
    """Run a command in this process, with what is piped into it."""
    result = CliRunner().invoke(app, args, input=typed)
    return result.exit_code, result.stdout, result.stderr + str(result.exception or "")


def account_in(data: Path) -> Account:
    """Return the account of a data folder, its secrets opened."""

    async def read() -> Account:
        async with open_parts(Settings.read(None, data=data)) as parts:
            return await parts.store.account(AccountId("main"))

    return asyncio.run(read())


def test_credentials_are_piped_in_rotated_and_never_shown(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path), "--json")
    key, host = "SK" + "d" * 32, "https://recordings.example"
    assert (run("tenants", "add", "acme", *data))[0] == 0
    assert (run("tenants", "add", "aside", *data))[0] == 0

    said = [
        run("accounts", "add", "main", "--sid", SID, "--tenant", "acme", *data, typed="token-1\n"),
        run("accounts", "set", "main", "--api-key", key, *data, typed="key-secret\n"),
        run("accounts", "set", "main", "--token", "-", "--signing-key", "-", *data, typed="shared-1\ntoken-2\n"),
        run("accounts", "set", "main", "--signing-key", "-", *data, typed="shared-2\n"),
        run("accounts", "set", "main", "--base-url", host, "--tenant", "aside", "--limit", "3", *data),
    ]
    assert [code for code, _, _ in said] == [0] * 5, said
    kept = account_in(tmp_path)
    assert (kept.auth_token, kept.previous_auth_token, kept.signing_keys) == (
        *("token-2", "token-1"),
        ("shared-2", "shared-1"),
    )
    assert (kept.api_key, kept.api_secret, kept.base_url, kept.default_tenant) == (key, "key-secret", host, "aside")

    said += [
        run("accounts", "set", "main", "--forget-old", "--api-key", "", *data),
        run("accounts", "list", *data),
        run("audit", "list", *data),
    ]
    assert json.loads(said[5][1])["api_key"] is None
    kept = account_in(tmp_path)
    assert (kept.auth_token, kept.previous_auth_token, kept.api_secret) == ("token-2", None, None)
    assert kept.signing_keys == ("shared-2",)
    printed = "".join(out + err for _, out, err in said)
    assert key in printed
    assert not [one for one in ("token-1", "token-2", "key-secret", "shared-1", "shared-2") if one in printed]

    code, _, err = run("accounts", "set", "main", "--by-number", *data)
    assert (code, "aside is not paused" in err) == (1, True)
    assert (run("accounts", "remove", "main", *data))[0] == 0
    assert json.loads((run("accounts", "list", *data))[1]) == []
