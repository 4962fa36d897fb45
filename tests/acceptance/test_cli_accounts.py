"""``callspool accounts``: how credentials get in, how they are changed, and that they are never shown."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from callspool.cli.app import app
from callspool.domain.ids import AccountId
from callspool.domain.tenant import Account
from callspool.settings import Settings
from callspool.wiring import open_parts

SID = "AC" + "c" * 32


@dataclass(frozen=True, slots=True)
class Provider:
    """The simulator as a process of its own: commands run loops of their own here."""

    url: str

    def post(self, place: str, given: dict[str, object]) -> dict[str, str]:
        """Have it make something."""
        request = urllib.request.Request(f"{self.url}/_simulator/{place}", json.dumps(given).encode(), method="POST")
        with urllib.request.urlopen(request) as answer:
            made: dict[str, str] = json.loads(answer.read())
        return made


@pytest.fixture
def provider() -> Iterator[Provider]:
    command = (sys.executable, "-m", "callspool.simulator", "--json", "--end-with-stdin")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield Provider(json.loads(process.stdout.readline())["url"])
        process.communicate()


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


def test_regions_and_buckets_are_set_and_checked(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path), "--json")
    assert run("tenants", "add", "acme", *data)[0] == 0
    given = ("--sid", SID, "--tenant", "acme", "--token", "t", *data)
    code, out, err = run("accounts", "add", "main", "--region", "ie1", "--edge", "dublin", *given)
    assert code == 0, err
    assert json.loads(out)["base_url"] == "https://api.dublin.ie1.twilio.com"

    bucket = "calls.s3.eu-west-1.amazonaws.com"
    code, out, err = run("accounts", "set", "main", "--region", "au1", "--media-host", bucket, *data)
    assert code == 0, err
    assert (json.loads(out)["base_url"], json.loads(out)["media_host"]) == ("https://api.au1.twilio.com", bucket)
    assert json.loads(run("accounts", "set", "main", "--media-host", "", *data)[1])["media_host"] is None

    for wrong, says in (
        (("--region", "IE1"), "no name of a Twilio region"),
        (("--region", "ie1", "--base-url", "https://x"), "or --region and --edge"),
        (("--media-host", "https://x/y"), "not a host"),
    ):
        code, _, err = run("accounts", "set", "main", *wrong, *data)
        assert (code, says in err) == (1, True), err
    code, _, err = run("accounts", "add", "tel", "--provider", "telnyx", "--tenant", "acme", "--region", "ie1", *data)
    assert (code, "has no regions" in err) == (1, True), err


def test_subaccounts_are_listed_and_added_as_it_says(tmp_path: Path, provider: Provider) -> None:
    data = ("--data", str(tmp_path), "--json")
    parent = provider.post("accounts", {})
    below = provider.post("accounts", {"parent": parent["sid"]})
    assert run("tenants", "add", "acme", *data)[0] == 0
    at = ("--tenant", "acme", "--base-url", provider.url, *data)
    assert run("accounts", "add", "main", "--sid", parent["sid"], *at, typed=parent["auth_token"])[0] == 0

    code, out, err = run("accounts", "discover", "main", *data)
    assert code == 0, err
    found = {"sid": below["sid"], "name": "Simulated subaccount", "status": "active", "account": None}
    assert json.loads(out) == [found]
    told = run("accounts", "discover", "main", "--data", str(tmp_path))[1]
    assert f"--sid SID --api-key {parent['sid']}" in told

    add = ("accounts", "add", "below", "--sid", below["sid"], "--api-key", parent["sid"], *at)
    code, _, err = run(*add, typed=f"{below['auth_token']}\n{parent['auth_token']}\n")
    assert code == 0, err
    assert json.loads(run("accounts", "discover", "main", *data)[1]) == [{**found, "account": "below"}]
    assert json.loads(run("accounts", "discover", "below", *data)[1]) == []
