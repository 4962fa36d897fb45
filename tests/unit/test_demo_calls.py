"""The demo's calls are ones that the provider can play, whatever the seed."""

from functools import partial
from itertools import islice

import httpx
import pytest

from callspool.cli.demo.calls import Call, burst, plan, stream
from callspool.simulator import Simulator
from tests.fixtures.simulator import basic, media_path

CALLS = {"burst": burst, "plan": partial(plan, number=3), "stream": stream}


@pytest.mark.parametrize("seed", [1, 0, -7])
@pytest.mark.parametrize("of", CALLS)
async def test_each_call_can_be_downloaded(simulator: Simulator, of: str, seed: int) -> None:
    account = simulator.add_account()
    calls: list[Call] = list(islice(CALLS[of](seed), 3))
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        for call in calls:
            recording = simulator.add_recording(
                account_sid=account.sid, duration_s=call.duration_s, seed=call.seed, faults=[]
            )
            assert (await client.get(media_path(recording, dual=True))).status_code == 200
