"""A rolling upgrade: processes of two versions of the code at once, on one Valkey that remembers the older one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from valkey.asyncio import Valkey

from callspool.scheduler.embedded import Embedded
from callspool.scheduler.library import Library, library, named, names
from tests.fixtures.bench import Bench, ids
from tests.fixtures.raw import End, Grant, Raw, Request

OLDER = Library("callspool_1", (Path(__file__).parents[1] / "fixtures/lua/callspool_1.lua").read_text())
"""The library as it was before its name told its text, kept as it was."""
A_DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
async def bench(valkey: str) -> AsyncIterator[Bench]:
    bench = Bench(valkey)
    yield bench
    await bench.close()


@pytest.fixture
def older(valkey: str) -> Iterator[Raw]:
    raw = Raw(valkey, version=OLDER)
    yield raw
    raw.close()


@pytest.fixture
def newer(valkey: str, older: Raw) -> Iterator[Raw]:
    raw = Raw(valkey)
    yield raw
    raw.close()


async def loaded(client: Valkey) -> dict[str, bytes]:
    """Return what the server holds of ours."""
    listed = await client.execute_command("FUNCTION", "LIST", "LIBRARYNAME", "callspool_*", "WITHCODE")
    return {one[1].decode(): one[-1] for one in listed}


async def test_new_code_reaches_a_server_that_holds_the_old_even_after_its_restart(
    bench: Bench, older: Raw, valkey_server: Embedded
) -> None:
    valkey_server.kill()
    valkey_server.start()  # the append-only file brings the old functions back
    await bench.producer.open()
    await bench.limits("acme")
    await bench.submit("acme", "j0")
    assert ids((await bench.worker().turn([], 1)).leases) == ["j0"]
    held = await loaded(bench.client)
    assert held[library().name] == library().code.encode()
    assert held["callspool_1"] == OLDER.code.encode()  # its processes may still run


def test_every_text_has_a_name_of_its_own() -> None:
    one, other = named("-- one"), named("-- other")
    assert one.name != other.name
    assert one.code.startswith(f"#!lua name={one.name}\n")


@pytest.mark.rule("I1", "I4")
def test_old_and_new_workers_share_jobs_slots_and_leases(older: Raw, newer: Raw) -> None:
    """Each call of the one is followed by one of the other, on the same keys."""
    sides = {"old": older, "new": newer}
    newer.call("open")
    older.call("set_pool", "main", 5, 0)
    newer.call("set_tenant", "acme", 3, 1, 0)
    older.call("set_tenant", "bravo", 3, 1, 0)
    jobs = {f"j{n}": ("acme", "bravo")[n % 2] for n in range(60)}
    for n, (job, tenant) in enumerate(jobs.items()):
        sides["old" if n % 3 else "new"].submit((job, "main", tenant, "bulk", 0))
    held: dict[str, list[Grant]] = {"old": [], "new": []}
    finished: list[str] = []
    for step in range(200):
        side = "old" if step % 2 else "new"
        raw, mine = sides[side], held[side]
        assert raw.renew(side, mine) == ["held"] * len(mine)
        ends = tuple(End(grant.job, grant.token) for grant in mine[:1])
        if step % 7 == 0 and ends:
            ends = (End(ends[0].job, ends[0].token, "defer", 0),)
        else:
            finished += [end.job for end in ends]
        _, grants = raw.turn(Request(f"r{step}", side, 2, ends))
        held[side] = mine[1:] + list(grants)
        running = held["old"] + held["new"]
        assert len({grant.job for grant in running}) == len(running) <= 5
        assert all(sum(grant.tenant == tenant for grant in running) <= 3 for tenant in ("acme", "bravo"))
    assert sorted(finished) == sorted(jobs)
    assert newer.client.zcard(newer.key("leases")) == 0


@pytest.mark.rule("I4")
def test_either_version_settles_cancels_and_promotes_what_the_other_put_there(older: Raw, newer: Raw) -> None:
    newer.call("open")
    older.call("set_pool", "main", 5, 0)
    older.call("set_tenant", "acme", 5, 1, 0)
    for first, second in ((older, newer), (newer, older)):
        first.submit(*((name, "main", "acme", "bulk", 0) for name in ("a", "b", "c")))
        second.call("promote", "c", "main", "acme")
        assert second.call("cancel", "b") == b"waiting"
        _, grants = first.turn(Request("r1", f"{first.version.name}-w", 9))
        assert [grant.job for grant in grants] == ["c", "a"]
        assert second.call("cancel", "a") == b"running"
        assert first.renew("w", grants) == ["held", "cancelled"]
        assert second.renew("w", grants) == ["held", "cancelled"]
        second.turn(Request("r1", f"{second.version.name}-v", 0, tuple(End(g.job, g.token) for g in grants)))
        assert [first.call("why", name)[0] for name in "abc"] == [b"unknown"] * 3


async def test_a_library_that_nobody_used_for_a_day_goes_when_another_is_brought(bench: Bench, older: Raw) -> None:
    async def bring() -> set[str]:
        await client.execute_command("FUNCTION", "DELETE", library().name)
        await bench.producer.epoch()  # which needs the functions
        return set(await loaded(client))

    client, versions = bench.client, bench.functions.keys.prefix + "versions"
    recent = named("redis.register_function('NAME_nothing', function() return 1 end)")
    await client.function_load(recent.code)
    await bench.producer.epoch()
    everything = {library().name, recent.name, "callspool_1"}
    assert await bring() == everything  # both count as used when they are first seen
    past = int(await client.hget(versions, "callspool_1")) - A_DAY_MS
    await client.hset(versions, "callspool_1", str(past))
    assert await bring() == everything - {"callspool_1"}
    assert set(await client.hkeys(versions)) == {library().name.encode(), recent.name.encode()}


def test_names_of_libraries_are_read_from_one_node_and_from_several() -> None:
    one = [[b"library_name", b"callspool_a", b"engine", b"LUA"]]
    other = [{b"library_name": b"callspool_b", b"engine": b"LUA"}]
    assert names(one) == {"callspool_a"}
    assert names({"n1": one, "n2": other}) == {"callspool_a", "callspool_b"}


def test_either_version_tells_how_long_what_the_other_took_has_waited(older: Raw, newer: Raw) -> None:
    newer.call("open")
    older.submit(("old", "main", "acme", "bulk", 0))
    newer.submit(("new", "side", "acme", "bulk", 0))
    for name, seconds in (("old", 30), ("new", 5)):
        since = int(newer.client.hget(newer.key(f"job:{name}"), "since_ms")) - seconds * 1000
        newer.client.hset(newer.key(f"job:{name}"), "since_ms", since)
    told = newer.call("pool_loads", 2, "main", "side", "acme")
    assert [wait // 1000 for wait in told[10::11]] == [30, 5]
    for side in (older, newer):
        assert side.call("load", "acme")[4] // 1000 == 30


def test_a_drain_that_either_version_began_is_undone_for_both(older: Raw, newer: Raw) -> None:
    newer.call("open")
    for n, side in enumerate((older, newer)):
        side.call("close")
        assert older.submit((f"j{n}", "main", "acme", "bulk", 0)) == [("closed", "unknown")]
        before, unchanged = newer.call("epoch"), older.call("epoch")
        newer.call("reopen")
        assert newer.call("epoch") != before
        assert older.call("epoch") == unchanged  # its process puts jobs in at its own pace, as ever
        assert older.submit((f"j{n}", "main", "acme", "bulk", 0)) == [("accepted", "waiting")]


def test_how_a_job_went_that_the_older_version_granted_counts(older: Raw, newer: Raw) -> None:
    newer.call("open")
    newer.call("set_pool", "main", 8, 0)
    newer.call("set_tenant", "acme", 8, 1, 0)
    newer.submit(("j0", "main", "acme", "bulk", 0))
    _, (grant,) = older.turn(Request("r1", "old", 1))
    newer.turn(Request("r1", "new", 0, (End(grant.job, grant.token, "defer", 60_000, signal="throttled"),)))
    assert newer.call("pool_loads", 1, "main")[0] == 4


@pytest.mark.rule("I1")
def test_a_slot_that_the_newer_version_took_is_not_given_again_by_the_older_in_another_account(
    older: Raw, newer: Raw
) -> None:
    newer.call("open")
    newer.call("set_pool", "p0", 5, 0, "p1", 5, 0)
    newer.call("set_tenant", "acme", 1, 1, 0)
    older.submit(("j0", "p0", "acme", "bulk", 0), ("j1", "p1", "acme", "bulk", 0))
    _, (held,) = newer.turn(Request("r1", "new", 1))
    assert older.turn(Request("r1", "old", 1))[1] == ()
    newer.turn(Request("r2", "new", 0, (End(held.job, held.token),)))
    assert len(older.turn(Request("r2", "old", 1))[1]) == 1
