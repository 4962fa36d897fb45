"""Ways to a Valkey: a cluster of which several nodes are named, and TLS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import valkey
from chaos.proxy import Upstream

from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import Job, Place
from callspool.scheduler.address import is_cluster, nodes
from callspool.scheduler.bulletin import ValkeyBulletin
from callspool.scheduler.connection import Functions, connect_blocking, shard_of
from callspool.scheduler.consumer import ValkeyConsumer
from callspool.scheduler.embedded import Embedded
from tests.fixtures.bench import LEASE, SOON, Bench, done, heard, next_leases, one_in_each, woken
from tests.fixtures.certificate import self_signed
from tests.fixtures.cluster import Cluster
from tests.fixtures.gate import gate

SHARDS = 3
POOLS = one_in_each(SHARDS)
"""One in each shard; each shard lies on another node."""


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("valkey://a:1/0", ("valkey://a:1/0",)),
        ("unix:///a,b", ("unix:///a,b",)),
        ("valkey+cluster://a:1", ("valkey://a:1",)),
        ("valkey+cluster://a:1,b:2,c", ("valkey://a:1", "valkey://b:2", "valkey://c")),
        ("valkeys://a:1?ssl_check_hostname=no", ("valkeys://a:1?ssl_check_hostname=no",)),
        (
            "valkeys+cluster://me:p,w@a:1,[::1]:2/0?x=1,2",
            (
                "valkeys://me:p,w@a:1/0?x=1,2&ssl_check_hostname=yes",
                "valkeys://me:p,w@[::1]:2/0?x=1,2&ssl_check_hostname=yes",
            ),
        ),
    ],
)
def test_the_nodes_of_an_address(url: str, expected: tuple[str, ...]) -> None:
    assert nodes(url) == expected
    assert is_cluster(url) is ("+cluster" in url)


@pytest.fixture
def empty_cluster(cluster: Cluster) -> Cluster:
    cluster.empty()
    return cluster


async def renewed(bench: Bench, pool: str) -> None:
    """Wait for a heartbeat that makes the job's lease longer."""
    leases = f"{bench.shards[shard_of(pool, len(bench.shards))].keys.prefix}leases"
    first = float(await bench.client.execute_command("ZSCORE", leases, "j"))
    async with asyncio.timeout(SOON.total_seconds()):
        while float(await bench.client.execute_command("ZSCORE", leases, "j")) <= first:
            await asyncio.sleep(0.05)


async def does_the_whole_job(bench: Bench, pool: str) -> None:
    """Submit to a worker that waits, have it keep its lease alive, settle."""
    await bench.producer.set_pool(pool, limit=1, paused=False)
    await bench.producer.set_tenant("t", slots=1, weight=1, paused=False)
    worker = bench.worker(lease=3 * LEASE)
    await heard(worker, 1)
    await bench.producer.submit(Job("j", pool, "t"))
    await woken(worker)
    (lease,) = await next_leases(worker, 1)
    await renewed(bench, pool)
    await heard(worker, 0, done(lease))
    assert await bench.producer.place("j") is Place.UNKNOWN


@pytest.mark.rule("S7")
@pytest.mark.parametrize("away", [0, 2])
async def test_who_comes_anew_passes_over_a_named_node_that_hangs(empty_cluster: Cluster, away: int) -> None:
    before = Bench(empty_cluster.url, shards=SHARDS)
    hung, other = empty_cluster.ports[away], empty_cluster.ports[away - 1]
    there = next(number for number, name in enumerate(before.names) if empty_cluster.port_of(name) != hung)
    await before.producer.open()
    await before.producer.set_pool(POOLS[there], limit=1, paused=False)
    await before.producer.set_tenant("t", slots=1, weight=1, paused=False)
    await before.producer.submit(Job("j", POOLS[there], "t"))

    url = f"valkey+cluster://127.0.0.1:{hung},127.0.0.1:{other}"
    functions = Functions(url, before.names[there])
    worker = ValkeyConsumer(url, worker_id="w1", lease=3 * LEASE, shards=[before.names[there]])
    bell = ValkeyBulletin(functions).listen()
    with empty_cluster.frozen(hung):
        async with asyncio.timeout(30):
            while not (await worker.turn([], 1)).leases:
                pass  # it waits as long for the one that hangs as for any answer
        assert (await functions.health()).version
        await anext(bell)
        await renewed(before, POOLS[there])
    assert await before.producer.place("j") is Place.RUNNING
    await bell.aclose()
    await worker.close()
    await functions.close()
    await before.close()


@pytest.fixture
def certified(tmp_path: Path) -> Callable[[str], str]:
    """Says in an address which certificate to believe."""
    return lambda url: f"{url}?ssl_ca_certs={tmp_path / 'server.pem'}"


@pytest.fixture
async def by_tls(valkey_server: Embedded, tmp_path: Path) -> AsyncIterator[int]:
    async with gate(Upstream(path=valkey_server.url.removeprefix("unix://")), self_signed(tmp_path)) as before:
        yield before.port


async def test_one_server_by_tls(by_tls: int, certified: Callable[[str], str]) -> None:
    bench = Bench(certified(f"valkeys://127.0.0.1:{by_tls}/0"))
    try:
        await bench.producer.open()
        await does_the_whole_job(bench, "main")
    finally:
        await bench.close()


async def test_a_certificate_that_nobody_vouches_for_is_refused(by_tls: int) -> None:
    functions = Functions(f"valkeys://127.0.0.1:{by_tls}/0")
    with pytest.raises(SchedulerUnavailable, match="certificate"):
        await functions.call("place", "j")
    await functions.close()


async def test_a_certificate_of_another_host_is_refused_unless_one_says_so(
    by_tls: int, certified: Callable[[str], str]
) -> None:
    """It is of 127.0.0.1."""
    url = certified(f"valkeys://localhost:{by_tls}/0")
    functions = Functions(url)
    with pytest.raises(SchedulerUnavailable, match=r"certificate is not valid for 'localhost'"):
        await functions.call("place", "j")
    heartbeat = connect_blocking(url, 5)
    with pytest.raises(valkey.ConnectionError, match=r"certificate is not valid for 'localhost'"):
        await asyncio.to_thread(heartbeat.ping)  # type: ignore[no-untyped-call]
    careless = Functions(f"{url}&ssl_check_hostname=no")
    assert await careless.has("nothing") is False
    await careless.close()
    await functions.close()


async def test_a_cluster_by_tls(empty_cluster: Cluster, tmp_path: Path, certified: Callable[[str], str]) -> None:
    certificate = self_signed(tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        gates = [
            await stack.enter_async_context(gate(Upstream(port=port), certificate)) for port in empty_cluster.ports
        ]
        ports = [before.port for before in gates]
        stack.enter_context(empty_cluster.announcing(ports))
        bench = Bench(certified("valkeys+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)), shards=SHARDS)
        stack.push_async_callback(bench.close)
        await bench.producer.open()
        await does_the_whole_job(bench, POOLS[1])
