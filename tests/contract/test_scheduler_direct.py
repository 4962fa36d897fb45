"""The client under the scheduler's calls: an answer is its own question's, whatever became of the calls before."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import valkey as library

from callspool.scheduler.connection import Functions
from callspool.scheduler.direct import Direct
from callspool.scheduler.embedded import Embedded


@pytest.fixture
async def direct(valkey_server: Embedded) -> AsyncIterator[Direct]:
    made = Direct(valkey_server.url, timeout_s=5)
    yield made
    await made.aclose()


async def connections(direct: Direct) -> int:
    return len((await direct.execute_command("CLIENT", "LIST")).splitlines())


async def at_once(direct: Direct, count: int) -> list[bytes]:
    return await asyncio.gather(*(direct.execute_command("ECHO", n) for n in range(count)))


async def test_calls_at_the_same_time_get_their_own_answers_and_later_ones_the_same_connections(direct: Direct) -> None:
    assert await at_once(direct, 30) == [str(n).encode() for n in range(30)]
    opened = await connections(direct)
    assert await at_once(direct, 30) == [str(n).encode() for n in range(30)]
    assert await connections(direct) == opened


async def test_the_answer_to_a_call_that_was_cancelled_is_nobodys(direct: Direct, valkey_server: Embedded) -> None:
    blocked = asyncio.create_task(direct.execute_command("BLPOP", "nothing", 0))
    other = Direct(valkey_server.url, timeout_s=5)
    async with asyncio.timeout(10):
        while b"blocked_clients:1" not in await other.execute_command("INFO", "clients"):
            pass
    blocked.cancel()
    await asyncio.gather(blocked, return_exceptions=True)
    await other.execute_command("RPUSH", "nothing", "something")
    assert await at_once(direct, 3) == [b"0", b"1", b"2"]
    await other.aclose()


async def test_no_answer_in_time_is_an_error_and_its_late_answer_nobodys(
    direct: Direct, valkey_server: Embedded
) -> None:
    impatient = Direct(valkey_server.url, timeout_s=0.2)
    assert await at_once(impatient, 2) == [b"0", b"1"]
    os.kill(valkey_server.pid or 0, signal.SIGSTOP)
    try:
        with pytest.raises(library.TimeoutError, match=r"no answer within 0\.2 s"):
            await impatient.execute_command("ECHO", "late")
    finally:
        os.kill(valkey_server.pid or 0, signal.SIGCONT)
    assert await direct.execute_command("ECHO", "awake") == b"awake"
    assert await at_once(impatient, 3) == [b"0", b"1", b"2"]
    await impatient.aclose()


async def test_a_call_may_take_all_the_time_that_it_was_given(valkey_server: Embedded) -> None:
    patient = Direct(valkey_server.url, timeout_s=30)
    assert await patient.execute_command("BLPOP", "nothing", 5.2) is None  # longer than any limit of the library's
    await patient.aclose()


async def test_an_error_that_was_answered_costs_no_connection(direct: Direct) -> None:
    opened = await connections(direct)
    with pytest.raises(library.ResponseError, match="unknown command"):
        await direct.execute_command("NONSENSE")
    assert await connections(direct) == opened


async def test_one_call_is_enough_after_a_restart_however_many_connections_broke(valkey_server: Embedded) -> None:
    functions = Functions(valkey_server.url)
    await asyncio.gather(*(functions.call("epoch") for _ in range(5)))
    valkey_server.kill()
    valkey_server.start()
    assert await functions.call("epoch") > 0
    await functions.close()


async def test_a_client_that_is_closed_leaves_no_connection(direct: Direct, valkey_server: Embedded) -> None:
    other = Direct(valkey_server.url, timeout_s=5)
    await at_once(other, 5)
    under_way = asyncio.create_task(other.execute_command("BLPOP", "list", 5))
    async with asyncio.timeout(10):
        while b"blocked_clients:1" not in await direct.execute_command("INFO", "clients"):
            pass
        await other.aclose()
        await direct.execute_command("RPUSH", "list", "value")
        assert await under_way == [b"list", b"value"]
        while await connections(direct) > 1:
            pass
