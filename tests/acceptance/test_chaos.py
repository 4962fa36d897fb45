"""Two short fault runs over real processes. `make chaos` has the long ones."""

import pytest
from chaos.plan import plan
from chaos.run import run


@pytest.mark.rule("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9")
@pytest.mark.parametrize("seed", [1, 2], ids=["PostgreSQL and disk", "SQLite and S3"])
async def test_every_invariant_holds_when_processes_and_connections_do_not(seed: int) -> None:
    result = await run(plan(seed, seconds=3))
    assert result.holds, result.as_json()
    assert result.ready > 0
