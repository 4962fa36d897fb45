"""``callspool demo --once``: the main job with a faulty provider, judged by the provider's own log."""

import asyncio
import json
import os
import sys

import pytest

FIELDS = {"tenants", "account_most_at_once", "account_limit", "duplicates", "bytes", "broken", "holds"}


async def run(*args: str, typed: str = "") -> tuple[int, str, str]:
    """Run the command line, with what is piped into it; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspool.cli", *args),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ),
    )
    out, err = await asyncio.wait_for(process.communicate(typed.encode()), 150)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.rule("S10", "I1", "I2", "I3")
async def test_demo_keeps_every_invariant_while_the_provider_misbehaves() -> None:
    code, out, err = await run("demo", "--once", "--recordings", "60", "--seed", "7", "--json")
    assert code == 0, out + err
    verdict = json.loads(out.strip().splitlines()[-1])
    assert verdict.keys() == FIELDS
    assert verdict["broken"] == {"I1": [], "I2": [], "I3": []}
    assert verdict["duplicates"] == 0
    assert len(verdict["tenants"]) == 6
    kept = sum(tenant["kept"] for tenant in verdict["tenants"])
    failed = sum(sum(tenant["failed"].values()) for tenant in verdict["tenants"])
    assert kept + failed == 60
    assert all(tenant["most_at_once"] <= tenant["slots"] for tenant in verdict["tenants"])
