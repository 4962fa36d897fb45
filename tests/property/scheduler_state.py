"""What the real scheduler's data say, compared with the model: everything that decides what may run."""

from typing import Any

import pytest

from tests.fixtures.raw import Raw
from tests.model.scheduler import Model
from tests.property.scheduler_world import JOBS, POOLS, TENANTS


def check_places(raw: Raw, model: Model) -> None:
    """Each job is in one place, and no slot is leaked: those that run are those that hold one."""
    pipe = raw.client.pipeline(transaction=False)
    for job in JOBS:
        pipe.hmget(raw.key(f"job:{job}"), "place", "token")
    pipe.zrange(raw.key("leases"), 0, -1, withscores=True)
    pipe.zrange(raw.key("due"), 0, -1, withscores=True)
    for tenant in TENANTS:
        pipe.smembers(raw.key(f"held:t:{tenant}"))
    for pool in POOLS:
        pipe.smembers(raw.key(f"held:p:{pool}"))
    *hashes, leases, due, t0, t1, t2, p0, p1 = pipe.execute()
    for job, (place, token) in zip(JOBS, hashes, strict=True):
        known = model.jobs.get(job)
        assert (place.decode() if place else None) == (known.place if known else None), job
        assert (token.decode() if token else "") == (known.token if known else ""), job

    def those(place: str, **at: str) -> dict[bytes, int]:
        return {
            name.encode(): job.until
            for name, job in model.jobs.items()
            if job.place == place and all(getattr(job, key) == value for key, value in at.items())
        }

    assert dict(leases) == those("running")
    assert dict(due) == those("deferred")
    for tenant, held in zip(TENANTS, (t0, t1, t2), strict=True):
        assert set(held) == set(those("running", tenant=tenant))
    for pool, held in zip(POOLS, (p0, p1), strict=True):
        assert set(held) == set(those("running", pool=pool))


def check_rings(raw: Raw, model: Model) -> None:
    """The rings hold exactly those who can run, each line its jobs in their order."""
    pipe = raw.client.pipeline(transaction=False)
    for pool in POOLS:
        pipe.zrange(raw.key(f"ring:{pool}"), 0, -1)
        for tenant in TENANTS:
            pipe.zrange(raw.key(f"line:{pool}:{tenant}"), 0, -1)
    pipe.zrange(raw.key("ring"), 0, -1)
    *answers, ring = pipe.execute()
    for pool in POOLS:
        in_ring, *lines = answers[:4]
        del answers[:4]
        assert {name.decode() for name in in_ring} == {name for name in TENANTS if model.can_run(pool, name)}
        for tenant, line in zip(TENANTS, lines, strict=True):
            assert [name.decode() for name in line] == model.line(pool, tenant)
    able = {pool for pool in POOLS if model.has_room(pool) and any(model.can_run(pool, one) for one in TENANTS)}
    assert {name.decode() for name in ring} == able


def check_turns(raw: Raw, model: Model) -> None:
    """Each tenant's pools wait as they should for its slots, and one is kept for whom it should be."""
    pipe = raw.client.pipeline(transaction=False)
    for tenant in TENANTS:
        pipe.zrange(raw.key(f"turns:{tenant}"), 0, -1, withscores=True)
        pipe.hget(raw.key(f"tenant:{tenant}"), "kept")
    pipe.smembers(raw.key("several"))
    pipe.zrange(raw.key("kept"), 0, -1, withscores=True)
    *answers, several, kept = pipe.execute()
    for tenant in TENANTS:
        waits, pool = answers[:2]
        del answers[:2]
        turns = model.turns_of(tenant)
        told = {name.decode(): (score < 0, score + 2**52 if score < 0 else score) for name, score in waits}
        assert told == {name: (wait.click, wait.since) for name, wait in turns.waits.items()}, tenant
        assert (tenant.encode() in several) == bool(turns.waits), tenant
        assert (pool.decode() if pool else None) == (turns.kept[0] if turns.kept else None), tenant
    assert dict(kept) == {name.encode(): turns.kept[1] for name, turns in model.turns.items() if turns.kept}


def check_pace(raw: Raw, model: Model) -> None:
    """Each pool's limit in force is between one and what was set; its circuit and its retries are as they should be."""
    pipe = raw.client.pipeline(transaction=False)
    for name in POOLS:
        pipe.hmget(raw.key(f"pool:{name}"), "window", "probing", "failures", "trips", "retries", "limit")
    pipe.zrange(raw.key("paused"), 0, -1, withscores=True)
    *pools, rests = pipe.execute()
    for name, (window, alone, failures, trips, retries, limit) in zip(POOLS, pools, strict=True):
        pool = model.pool(name)
        assert window is None or 1 <= float(window) < float(limit)
        assert (None if window is None else float(window)) == pool.window, name
        assert (alone == b"1", _int(failures), _int(trips)) == (pool.alone, pool.failures, pool.trips), name
        assert float(retries or 20) == pytest.approx(pool.retries), name
    assert dict(rests) == {name.encode(): pool.rests_until for name in POOLS if (pool := model.pool(name)).rests_until}


def check_lifetime(raw: Raw, model: Model) -> None:
    """The same lifetime, which began and opens at the same time."""
    began, opens = raw.client.hmget(raw.key("epoch"), "began_ms", "opens_ms")
    if model.lifetime.began:
        assert (_int(began), _int(opens)) == (model.lifetime.began, model.lifetime.opens)


def _int(field: Any) -> int:
    return int(field or 0)
