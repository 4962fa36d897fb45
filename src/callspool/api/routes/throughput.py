"""How many recordings become ready, and how fast: series for plots."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query

from callspool.api.auth import Caller
from callspool.api.dashboard import Throughput, ThroughputPoint
from callspool.api.problems import responses
from callspool.api.services import ServicesOf
from callspool.domain.pace import STEP, Ended, percentile, step_of

router = APIRouter(prefix="/api", tags=["dashboard"])

_MOST_POINTS: Final = 200


@router.get("/throughput", operation_id="getThroughput", responses=responses(404, 422))
async def get_throughput(
    services: ServicesOf,
    caller: Caller,
    hours: Annotated[int, Query(ge=1, le=744)] = 24,
    tenant: Annotated[str | None, Query(description="For the operator's key.")] = None,
) -> Throughput:
    """Return what became ready and what failed, in equal steps of time up to now. Counted as it happened."""
    now, span = services.clock.now(), timedelta(hours=hours)
    width = STEP * -(-span // (STEP * _MOST_POINTS))
    first = step_of(now - span)
    ended = await services.store.throughput(caller.scope(tenant), first)
    points = [_point(first + number * width, width, ended) for number in range(-(-(now - first) // width))]
    return Throughput(step_s=int(width.total_seconds()), points=points)


def _point(at: datetime, width: timedelta, ended: Sequence[Ended]) -> ThroughputPoint:
    its = [one for one in ended if at <= one.at < at + width]
    ready: dict[int, int] = {}
    for one in its:
        for bucket, count in one.ready.items():
            ready[bucket] = ready.get(bucket, 0) + count
    return ThroughputPoint(
        at=at,
        ready=sum(ready.values()),
        failed=sum(one.failed for one in its),
        p50_s=percentile(ready, 0.5),
        p95_s=percentile(ready, 0.95),
    )
