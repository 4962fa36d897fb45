"""No call's work grows with the number of tenants, or of a tenant's pools: commands are counted on a real Valkey."""

from collections.abc import Callable, Iterator

import pytest

from callspool.domain.job import Job
from callspool.scheduler.connection import Functions
from callspool.scheduler.producer import ValkeyProducer
from tests.fixtures.raw import End, Raw, Request

MANY = 1000
POOLS = 400


@pytest.fixture
def raw(valkey: str) -> Iterator[Raw]:
    raw = Raw(valkey)
    raw.call("open")
    yield raw
    raw.close()


def commands(raw: Raw, do: Callable[[], object]) -> int:
    """Return how many commands the functions gave to the server meanwhile."""
    raw.client.config_resetstat()
    do()
    return sum(stat["calls"] for stat in raw.client.info("commandstats").values())


def count_arguments(logged: bytes) -> int:
    """Count those of a logged command, which names 31 and how many more there were."""
    words = logged.decode().split()
    return 31 + int(words[-3].strip("(")) if words[-1] == "arguments)" else len(words)


@pytest.mark.rule("I1", "I5")
def test_a_turns_work_does_not_grow_with_a_tenants_pools(raw: Raw) -> None:
    """Its only slot is taken, freed and taken again, each time with hundreds of rings to leave or to join."""
    raw.call("set_tenant", "acme", 1, 1, 0)
    for n in range(POOLS):
        raw.call("set_pool", f"p{n}", 1, 0)
    jobs = [(f"j{n}", f"p{n}", "acme", "bulk", 0) for n in range(POOLS)]
    for at in range(0, POOLS, 200):
        raw.submit(*jobs[at : at + 200])
    finished: set[str] = set()
    ends: tuple[End, ...] = ()
    most = turns = 0
    while len(finished) < POOLS:
        turns += 1
        request = Request(f"r{turns}", "w", 8, ends)
        granted: list[str] = []

        def turn(request: Request = request, granted: list[str] = granted) -> None:
            nonlocal ends
            _, grants = raw.turn(request)
            ends = tuple(End(grant.job, grant.token) for grant in grants)
            granted += [grant.job for grant in grants]

        most = max(most, commands(raw, turn))
        assert len(granted) <= 1
        assert raw.client.scard(raw.key("held:t:acme")) == len(granted)
        finished |= set(granted)
        assert turns < 2 * POOLS
    assert most < 3000  # looking at all of them each time takes 4,800
    raw.turn(Request("end", "w", 1, ends))
    while raw.turn(Request(f"end-{turns}", "w", 1))[0] == 0:
        turns += 1
    assert raw.client.exists(raw.key("rest"), raw.key("ring"), raw.key("full")) == 0


async def test_figures_and_draining_of_many_tenants_are_asked_for_in_parts(valkey: str, raw: Raw) -> None:
    functions = Functions(valkey)
    producer = ValkeyProducer(functions)
    names = [f"t{n}" for n in range(MANY)]
    await producer.submit_many([(Job(f"j{n}", f"p{n % 300}", name), None) for n, name in enumerate(names)])
    for name in names[:3]:
        await producer.set_tenant(name, slots=7, weight=1, paused=False)
    raw.client.config_set("slowlog-log-slower-than", 0)
    raw.client.config_set("slowlog-max-len", 1000)
    loads = await producer.load(names)
    pools = await producer.pool_loads([f"p{n}" for n in range(300)], names)
    assert await producer.drain(names) == 0
    arguments = [count_arguments(entry["command"]) for entry in raw.client.slowlog_get(1000)]
    await functions.close()
    assert [load.tenant for load in loads] == names
    assert [(load.slots, load.waiting) for load in loads] == [(7, 1)] * 3 + [(0, 1)] * (MANY - 3)
    assert [(load.pool, load.waiting) for load in pools] == [(f"p{n}", 4 if n < 100 else 3) for n in range(300)]
    assert raw.client.exists(raw.key("lines:t0"), raw.key("job:j0"), raw.key("job:j999")) == 0
    assert 200 < max(arguments) < 420
