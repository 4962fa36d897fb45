"""No call's work grows with the number of tenants, or of a tenant's pools: commands are counted on a real Valkey."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from callspool.domain.job import Job
from callspool.scheduler.connection import Functions
from callspool.scheduler.producer import ValkeyProducer
from tests.fixtures.raw import End, Raw, Request

MANY = 1000
POOLS = 400
READ_ALL = {"smembers", "hgetall", "hkeys", "hvals", "keys", "scan", "sunion", "sinter", "sdiff", "sort"}
"""One of these is one command, however much it reads."""


@pytest.fixture
def raw(valkey: str) -> Iterator[Raw]:
    raw = Raw(valkey)
    raw.call("open")
    yield raw
    raw.close()


def commands(raw: Raw, do: Callable[[], object]) -> Counter[str]:
    """Return how often the functions gave each command to the server meanwhile."""
    raw.client.config_resetstat()
    do()
    stats = raw.client.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()})


def count_arguments(logged: bytes) -> int:
    """Count those of a logged command, which names 31 and how many more there were."""
    words = logged.decode().split()
    return 31 + int(words[-3].strip("(")) if words[-1] == "arguments)" else len(words)


def full_turn(raw: Raw, tenant: str, slots: int) -> Counter[str]:
    """Return what a turn asks for that ends all of a tenant's jobs and begins as many."""
    raw.call("set_tenant", tenant, slots, 1, 0)
    raw.submit(*((f"{tenant}-{n}", "main", tenant, "bulk", 0) for n in range(4 * slots)))
    _, first = raw.turn(Request(f"{tenant}-1", "w", 2 * slots))
    _, second = raw.turn(Request(f"{tenant}-2", "w", 2 * slots, tuple(End(one.job, one.token) for one in first)))
    ends, granted = tuple(End(one.job, one.token) for one in second), list[str]()

    def turn() -> None:
        granted.extend(one.job for one in raw.turn(Request(f"{tenant}-3", "w", 2 * slots, ends))[1])

    asked = commands(raw, turn)
    assert len(granted) == slots
    return asked - Counter({"fcall": 1, "config|resetstat": 1})


def test_what_jobs_have_in_common_is_asked_for_once_in_a_turn(raw: Raw) -> None:
    raw.call("set_pool", "main", 1000, 0)
    few, many = full_turn(raw, "few", 3), full_turn(raw, "many", 30)
    assert few.total() <= 45, few
    assert many - few == Counter(hmget=27, zpopmin=27, hset=27)  # what each job has of its own


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

        most = max(most, commands(raw, turn).total())
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


def each_call(raw: Raw, many: int) -> dict[str, Counter[str]]:
    """Return the commands of each call about one thing, where so many tenants have a job and one has as many."""
    raw.call("set_pool", "main", 10, 0)
    raw.call("set_tenant", "acme", 5, 1, 0)
    for at in range(0, many, 500):
        some = range(at, min(at + 500, many))
        raw.call("set_tenant", *(field for n in some for field in (f"t{n}", 1, 1, 0)))
        raw.submit(*((f"a{n}", "main", "acme", "bulk", 0) for n in some))
        raw.submit(*((f"t{n}", "main", f"t{n}", "bulk", 0) for n in some))
    raw.submit(*((f"later{n}", "main", "acme", "bulk", 60_000) for n in range(many)))
    _, grants = raw.turn(Request("r", "w", 4))
    running = next(grant for grant in grants if grant.tenant == "acme")
    asked: dict[str, Callable[[], object]] = {
        "cancel what waits": lambda: raw.call("cancel", "a7"),
        "cancel a tenant's only job": lambda: raw.call("cancel", f"t{many - 1}"),
        "cancel what is put off": lambda: raw.call("cancel", "later7"),
        "cancel what runs": lambda: raw.call("cancel", running.job),
        "promote what waits": lambda: raw.call("promote", "a8", "main", "acme"),
        "promote what is put off": lambda: raw.call("promote", "later8", "main", "acme"),
        "promote what is not known": lambda: raw.call("promote", "new", "main", "acme"),
        "promote what runs": lambda: raw.call("promote", running.job, "main", "acme"),
        "renew": lambda: raw.renew("w", [running]),
        "take a tenant's slots away": lambda: raw.call("set_tenant", "acme", 0, 1, 0),
        "give them back": lambda: raw.call("set_tenant", "acme", 50, 1, 0),
        "pause a tenant": lambda: raw.call("set_tenant", "acme", 50, 1, 1),
        "limit a tenant that is new": lambda: raw.call("set_tenant", "new", 1, 1, 0),
        "lower an account's limit": lambda: raw.call("set_pool", "main", 1, 0),
        "raise it": lambda: raw.call("set_pool", "main", 1000, 0),
        "pause an account": lambda: raw.call("set_pool", "main", 1000, 1),
        "let it go on": lambda: raw.call("set_pool", "main", 1000, 0),
    }
    return {name: commands(raw, ask) for name, ask in asked.items()}


def test_calls_about_one_job_or_one_limit_do_not_grow_with_what_waits(raw: Raw) -> None:
    few = each_call(raw, 10)
    raw.client.flushall()
    raw.call("open")
    many = each_call(raw, 10_000)
    assert many == few
    assert not {name for counted in many.values() for name in counted} & READ_ALL


def test_what_one_call_does_for_a_tenant_is_bounded_however_many_accounts_it_waits_in(raw: Raw) -> None:
    def each(accounts: int) -> dict[str, int]:
        raw.client.flushall()
        raw.call("open")
        raw.call("set_tenant", "acme", 1, 1, 0)
        for n in range(accounts):
            raw.call("set_pool", f"p{n}", 1, 0)
            raw.submit((f"j{n}", f"p{n}", "acme", "bulk", 0))
        asked: dict[str, Callable[[], object]] = {
            "pause": lambda: raw.call("set_tenant", "acme", 1, 1, 1),
            "go on": lambda: raw.call("set_tenant", "acme", 1, 1, 0),
            "cancel": lambda: raw.call("cancel", "j0"),
            "promote": lambda: raw.call("promote", "j1", "p1", "acme"),
            "take the last slot": lambda: raw.turn(Request("r", "w", 1)),
        }
        return {name: commands(raw, ask).total() for name, ask in asked.items()}

    a_hundred, three_hundred = each(100), each(300)
    assert all(three_hundred[name] <= 1.5 * a_hundred[name] for name in a_hundred), (a_hundred, three_hundred)
    assert max(three_hundred.values()) < 1500
