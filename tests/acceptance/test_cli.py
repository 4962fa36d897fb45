"""The command line as a person uses it, and misuses it."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from callspool.domain.ids import AccountId, TenantId
from callspool.domain.recording import State
from callspool.domain.tenant import Account, Tenant
from callspool.settings import Settings
from callspool.simulator import Simulator
from callspool.wiring import open_parts
from tests.acceptance.command import run_here
from tests.acceptance.system import until
from tests.acceptance.test_demo import run

SID = "AC" + "c" * 32


BROKEN = """
import callspool.cli.status, callspool.cli
def status(): 1 / 0
callspool.cli.status.status = status
callspool.cli.main()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which there is a callspool, with nothing in it."""
    folder = tmp_path_factory.mktemp("made")

    async def make() -> None:
        async with open_parts(Settings.read({}, data=folder)):
            pass

    asyncio.run(make())
    return folder


@asynccontextmanager
async def up(data: Path, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """A running ``callspool up``, and what it said when it was ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspool.cli", "up", "--json", "--port", "0", "--data", str(data)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **settings},
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(await asyncio.wait_for(process.stdout.readline(), 120))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_serve_says_its_address_as_json_and_ends_when_it_is_told(made: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspool.cli", "serve", "--json", "--port", "0", "--data", str(made)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        said = json.loads(await asyncio.wait_for(process.stdout.readline(), 120))
        assert set(said) == {"url"}
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{said['url']}/healthz")).status_code == 204
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
        assert await process.stdout.read() == b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def children_of(pid: int) -> set[int]:
    """The processes that a process started."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.mark.skipif(sys.platform != "linux", reason="who started whom is read in /proc")
@pytest.mark.timeout(400)
async def test_a_worker_of_up_that_dies_is_replaced_and_still_counted(tmp_path: Path) -> None:
    async with Simulator(seed=1) as simulator, up(tmp_path / "data") as (process, started):

        async def worker() -> int | None:
            for pid in children_of(process.pid):
                with suppress(OSError):  # it has just gone
                    if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        return pid
            return None

        killed = await until(worker)
        os.kill(killed, signal.SIGKILL)

        async def another() -> bool:
            return await worker() not in {None, killed}

        await until(another)
        simulator.add_account(SID, "token")
        async with open_parts(Settings.read({}, data=tmp_path / "data")) as parts:
            await parts.store.add_tenant(Tenant(TenantId("acme"), "Acme"))
            account = Account(AccountId("main"), "twilio", TenantId("acme"), SID, "token", base_url=simulator.url)
            await parts.store.add_account(account)
            await parts.producer.set_pool(account.id, limit=account.limit, paused=False)
            await parts.producer.set_tenant("acme", slots=3, weight=1.0, paused=False)
        made = simulator.add_recording(account_sid=SID, tag="acme", duration_s=1.0)
        (told,) = await simulator.announce(made, f"{started['url']}/webhooks/twilio/main/acme", events=["completed"])
        assert told.status == 204

        async def counted() -> bool:
            async with httpx.AsyncClient(trust_env=False) as client:
                text = (await client.get(f"{started['url']}/metrics")).text
            return any("ready" in line and "acme" in line and line.endswith(" 1.0") for line in text.splitlines())

        await until(counted)


@pytest.mark.skipif(sys.platform != "linux", reason="who started whom is read in /proc")
@pytest.mark.timeout(400)
async def test_a_valkey_of_up_that_dies_is_started_again_and_fetching_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with Simulator(seed=1) as simulator, up(data, CALLSPOOL_LEASE="5") as (process, started):
        simulator.add_account(SID, "token")
        async with open_parts(Settings.read({}, data=data)) as parts:
            await parts.store.add_tenant(Tenant(TenantId("acme"), "Acme"))
            await parts.store.add_account(
                Account(AccountId("main"), "twilio", TenantId("acme"), SID, "token", base_url=simulator.url)
            )

            killed: set[int] = set()

            async def another_valkey() -> int | None:
                for pid in children_of(process.pid) - killed:
                    with suppress(OSError):
                        if b"valkey.sock" in Path(f"/proc/{pid}/cmdline").read_bytes():
                            return pid
                return None

            async def ready() -> bool:
                return any(one.state is State.READY for one in await parts.store.count(TenantId("acme")))

            for _ in range(2):
                valkey = await until(another_valkey)
                os.kill(valkey, signal.SIGKILL)
                killed.add(valkey)
            made = simulator.add_recording(account_sid=SID, tag="acme", duration_s=1.0)
            webhook = f"{started['url']}/webhooks/twilio/main/acme"
            (told,) = await simulator.announce(made, webhook, events=["completed"])
            assert told.status == 204
            await until(ready)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["nonsense"], 2, "No such command"),
        (["tenants", "add", "Bad Name"], 1, "lower-case"),
        (["accounts", "add", "main", "--sid", "AC1", "--tenant", "acme"], 1, "AC and 32 lower-case hex digits"),
        (
            ["accounts", "add", "a", "--sid", SID, "--tenant", "t", "--token", "x", "--api-key", "K"],
            1,
            "an API key, SK",
        ),
        (["accounts", "add", "a", "--sid", SID, "--tenant", "t"], 1, "The auth token is empty"),
        (["accounts", "remove", "nobody"], 1, "There is no account"),
        (["fetch", "rec_1"], 1, "not a recording's id"),
        (["why", "rec_1"], 1, "not a recording's id"),
        (["why", "rec_" + "0" * 32], 1, "There is no such recording"),
        (["accounts", "add-key", "main", "CR1", "key.pem"], 1, "not the id of a public key"),
        (["accounts", "add-key", "main", "CR" + "a" * 32, "/no/key.pem"], 1, "cannot be read: No such file"),
        (["accounts", "add-key", "main", "CR" + "a" * 32, __file__], 1, "not a private RSA key in PEM"),
        (["accounts", "set", "main", "--media-format", "ogg"], 2, "dual-wav"),
        (["purge", "rec_1", "--yes"], 1, "not a recording's id"),
        (["purge", "rec_" + "0" * 32], 1, "Delete the audio of"),
        (["tenants", "set", "nobody", "--keep-days", "-1"], 2, "greater than or equal to 0"),
        (["drain", "--timeout", "-1"], 2, "--timeout"),
        (["keys", "revoke", "key_0"], 1, "key_0"),
        (["audit", "verify", "--anchor", "5"], 1, "no end of a log"),
        (["users", "add", "anna"], 1, "10 to 1000 characters"),  # nothing was piped in
        (["users", "add", "Anna"], 1, "lower-case"),
        (["users", "remove", "anna"], 1, "anna"),
        (["tenants", "set", "nobody", "--slots", "1"], 1, "nobody"),
        (["tenants", "set", "nobody", "--slots", "-1"], 2, "greater than or equal to 0"),
        (["tenants", "add", "bravo", "--allowed-origins", "https://crm.example/path"], 1, "is no origin"),
        (["tenants", "set", "nobody", "--allowed-origins", "http://crm.example"], 1, "write https://"),
    ],
)
async def test_mistake_gets_one_clear_line_and_no_traceback(
    made: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], code: int, says: str
) -> None:
    monkeypatch.setenv("CALLSPOOL_DATA", str(made))
    got, out, err = await run_here(*args)
    assert got == code, err
    assert says in err
    assert "Traceback" not in err + out


@pytest.mark.parametrize(
    ("args", "name", "value", "says"),
    [
        (["up"], "DATA", __file__, "it is a file"),
        (["up"], "DATA", f"{__file__}/below", "Not a directory"),
        (["tenants", "add", "acme"], "DATA", "/proc/callspool", "cannot be the data folder"),
        (["status"], "VALKEY_URL", "nonsense", "it must be valkey://host:port/0"),
        (["status"], "VALKEY_URL", "http://127.0.0.1:6379", "it must be valkey://host:port/0"),
        (["status"], "VALKEY_URL", "valkey://127.0.0.1:port", "it must be valkey://host:port/0"),
        (["status"], "VALKEY_URL", "valkey+cluster://127.0.0.1:6379,", "it must be valkey://host:port/0"),
        (["status"], "VALKEY_URL", "valkey+cluster://127.0.0.1:6379/1", "a cluster has only database 0"),
        (["status"], "VALKEY_URL", "valkey://127.0.0.1:6379/0?ssl=1", "ssl is no option; there are db, ssl_ca_certs"),
        (["status"], "VALKEY_URL", "valkeys://127.0.0.1:1?ssl_ca_certs=/nowhere", "names no file that can be read"),
        (["status"], "PUBLIC_URL", "nonsense", "it must be https://your.host"),
        (["status"], "PUBLIC_URL", "https://calls.example/?a=b", "it must be https://your.host"),
        (["status"], "DATABASE_URL", "mysql://nowhere/x", "CALLSPOOL_DATABASE_URL must be"),
        (["worker", "--metrics-port", "99999"], "LEASE", "30", "--metrics-port"),
    ],
)
async def test_setting_that_cannot_work_is_named_and_what_to_do(
    made: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], name: str, value: str, says: str
) -> None:
    monkeypatch.setenv("CALLSPOOL_DATA", str(made))
    monkeypatch.setenv(f"CALLSPOOL_{name}", value)
    code, out, err = await run_here(*args)
    assert code in (1, 2), out
    assert says in err
    assert "Traceback" not in err + out


async def test_port_for_metrics_that_is_in_use_is_told(made: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, err = await run("worker", "--metrics-port", port, "--data", str(made))
    assert (code, err.count("\n")) == (1, 1), err
    assert f"127.0.0.1:{port}: Address already in use" in err


async def test_what_nobody_thought_of_gets_one_line_and_its_details_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    broken = (sys.executable, "-c", BROKEN)
    process = await asyncio.create_subprocess_exec(*broken, "status", stderr=asyncio.subprocess.PIPE)
    said = (await process.communicate())[1].decode()
    (details,) = tmp_path.glob("callspool-error-*.txt")
    assert (process.returncode, said.count("\n")) == (1, 1), said
    assert "ZeroDivisionError: division by zero" in said
    assert str(details) in said
    assert "Traceback" in details.read_text()
    process = await asyncio.create_subprocess_exec(*broken, "--debug", "status", stderr=asyncio.subprocess.PIPE)
    said = (await process.communicate())[1].decode()
    assert process.returncode == 1
    assert said.startswith("Traceback")


@pytest.mark.parametrize(
    "command", [["status"], ["doctor"], ["keys", "list"], ["tenants", "set", "acme", "--slots", "1"]]
)
async def test_mistyped_folder_does_not_become_a_new_callspool(tmp_path: Path, command: list[str]) -> None:
    code, out, err = await run_here(*command, "--data", str(tmp_path / "typo"))
    assert code == 1
    assert "There is no callspool in" in out + err
    assert list(tmp_path.iterdir()) == []


async def test_lost_secret_key_is_told_and_not_replaced(tmp_path: Path) -> None:
    assert (await run_here("tenants", "add", "acme", "--data", str(tmp_path)))[0] == 0
    (tmp_path / "secret.key").unlink()
    for command in (["status"], ["tenants", "add", "bravo"], ["up", "--port", "0"]):
        code, _, err = await run_here(*command, "--data", str(tmp_path))
        assert code == 1
        assert "secret.key is gone" in err
    assert not (tmp_path / "secret.key").exists()


async def test_database_that_is_none_is_a_finding_of_doctor(tmp_path: Path) -> None:
    assert (await run_here("tenants", "add", "acme", "--data", str(tmp_path)))[0] == 0
    for path in tmp_path.glob("callspool.db*"):
        path.write_bytes(b"this is no database" * 100)
    code, out, err = await run_here("doctor", "--json", "--data", str(tmp_path))
    assert code == 1, err
    (found,) = json.loads(out)
    assert (found["check"], found["level"]) == ("store", "error")
    assert "backup" in found["do"]


async def test_empty_lists_say_so(made: Path) -> None:
    for command in (["keys", "list"], ["webhooks", "list"], ["users", "list"], ["accounts", "list"], ["status"]):
        code, out, err = await run_here(*command, "--data", str(made))
        assert code == 0, err
        assert "yet: callspool" in out


async def test_version_is_told() -> None:
    code, out, _ = await run("--version")
    assert (code, out) == (0, f"callspool {version('callspool')}\n")


async def test_times_in_json_are_iso_8601(tmp_path: Path) -> None:
    code, out, err = await run_here("keys", "add", "ci", "--json", "--data", str(tmp_path))
    assert code == 0, err
    at = json.loads(out)["created_at"]
    assert "T" in at
    assert datetime.fromisoformat(at).tzinfo is not None


async def test_unknown_setting_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CALLSPOOL_DATA", str(tmp_path))
    monkeypatch.setenv("CALLSPOOL_SLOT", "3")
    code, _, err = await run_here("status")
    assert code == 1
    assert "Unknown setting CALLSPOOL_SLOT" in err


async def test_a_tenants_origins_are_set_shown_and_taken_back(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path), "--json")
    pages = "https://crm.example, http://localhost:3000"
    assert (await run_here("tenants", "add", "acme", "--allowed-origins", pages, *data))[0] == 0
    for change, expected in (
        (("--slots", "4"), pages.split(", ")),
        (("--allowed-origins", "https://other.example"), ["https://other.example"]),
        (("--allowed-origins", ""), []),
    ):
        code, out, err = await run_here("tenants", "set", "acme", *change, *data)
        assert code == 0, err
        assert json.loads(out)["allowed_origins"] == expected


async def test_up_serves_a_tenant_and_an_account_added_while_it_runs(tmp_path: Path) -> None:
    async with up(tmp_path) as (process, said):
        assert said["key"].startswith("cs_")
        data = ("--data", str(tmp_path), "--json")
        assert (await run_here("tenants", "add", "acme", "--slots", "2", *data))[0] == 0
        os.environ["TWILIO_AUTH_TOKEN"] = "token"
        try:
            given = ("--sid", SID, "--tenant", "acme", "--base-url", "http://127.0.0.1:9")
            code, out, err = await run_here("accounts", "add", "main", *given, *data)
        finally:
            del os.environ["TWILIO_AUTH_TOKEN"]
        assert code == 0, err
        assert "token" not in json.loads(out).values()
        (tenant,) = json.loads((await run_here("status", *data))[1])
        assert (tenant["tenant"], tenant["slots"], tenant["running"]) == ("acme", 2, 0)
        drained = json.loads((await run_here("drain", *data))[1])
        assert drained == {"shards": 1, "drained": True, "running": 0}
        assert (await run_here("drain", "--undo", *data))[0] == 0
        findings = json.loads((await run_here("doctor", *data))[1])
        assert [one["check"] for one in findings if one["level"] == "error"] == ["account main"]  # nobody is there
        assert json.loads(out)["webhook_url"] == f"{said['url']}/webhooks/twilio/main"  # the port in use
        assert any(one["seen"].startswith(said["url"]) for one in findings)  # and there doctor asks
        code, _, err = await run("up", "--port", "0", "--data", str(tmp_path))
        assert code == 1
        assert "Another 'callspool up' runs" in err
        port = said["url"].rsplit(":", 1)[1]
        code, _, err = await run("up", "--port", port, "--data", str(tmp_path / "other"))
        assert code == 1
        assert "--port" in err
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_nothing_outlives_a_killed_up(tmp_path: Path) -> None:
    async def alive() -> list[str]:
        found = []
        for status in Path("/proc").glob("[0-9]*/environ"):
            try:
                if str(tmp_path).encode() in status.read_bytes() or str(tmp_path).encode() in (
                    status.with_name("cmdline").read_bytes()
                ):
                    found.append(status.parent.name)
            except OSError:
                continue
        return found

    async with up(tmp_path) as (process, _):

        async def has_children() -> bool:
            return len(await alive()) >= 3  # itself, Valkey, the worker

        await until(has_children)
        process.kill()
        await process.wait()

        async def none_left() -> bool:
            return not await alive()

        await until(none_left)


async def test_a_user_is_added_with_a_password_that_is_piped_in(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path), "--json")
    assert (await run_here("tenants", "add", "acme", *data))[0] == 0

    code, out, err = await run_here("users", "add", "anna", "--tenant", "acme", *data, typed="correct horse battery\n")
    listed = json.loads((await run_here("users", "list", *data))[1])

    assert code == 0, err
    assert [(user["name"], user["tenant_id"]) for user in listed] == [("anna", "acme")]
    assert listed == [json.loads(out)]
    assert "argon2" not in out
