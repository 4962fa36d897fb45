"""Logs and metrics. Secrets, phone numbers and links never get into a line, whoever wrote it."""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Final, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from callspool.domain.job import PoolLoad, TenantLoad
from callspool.domain.ports.counts import StateCount
from callspool.redaction import hide_named, redact, redact_all

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def _hide_named(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**hide_named(event)}


def configure_logging(*, level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Let everything in this process, uvicorn too, log to *stream* as JSON lines or for a terminal.

    uvicorn must be started with ``log_config=None``, or it puts its own handlers back.
    """
    stream = stream or sys.stderr
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Callable[..., Any]] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_named,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if console else [structlog.processors.format_exc_info]),
                _Renderer(console=console),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # its every step is of no use to an operator
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class _Renderer:
    """Renders a line and redacts all of it: tracebacks and foreign messages too."""

    def __init__(self, *, console: bool) -> None:
        self._console = (
            # The prettier tracebacks show local variables: secrets among them, wrapped so that no pattern finds them.
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback) if console else None
        )

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        return redact(self._console(logger, name, event)) if self._console else json.dumps(redact_all(event))


class Metrics:
    """What one process counted. Its own registry: two in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._fetches = Counter(
            "callspool_fetches", "Fetches by how they ended.", ("tenant", "outcome", "reason"), registry=self.registry
        )
        self._bytes = Counter("callspool_fetched_bytes", "Bytes from providers.", ("tenant",), registry=self.registry)
        self._seconds = Histogram(
            "callspool_fetch_seconds",
            "How long fetches took.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900),
            registry=self.registry,
        )
        self._time_to_ready = Histogram(
            "callspool_time_to_ready_seconds",
            "From the webhook to ready.",
            buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400),
            registry=self.registry,
        )

    def observe_fetch(
        self,
        *,
        tenant: str,
        outcome: str,
        reason: str | None = None,
        size: int = 0,
        seconds: float | None = None,
        time_to_ready_s: float | None = None,
    ) -> None:
        """Count one attempt. *outcome*: ``ready``, ``deferred``, ``failed``, ``handed_back``, ``stale`` ...

        *time_to_ready_s* only where it became ready.
        """
        self._fetches.labels(tenant, outcome, reason or "").inc()
        self._bytes.labels(tenant).inc(size)
        if seconds is not None:
            self._seconds.observe(seconds)
        if time_to_ready_s is not None:
            self._time_to_ready.observe(time_to_ready_s)

    def render(self) -> bytes:
        """Return it in Prometheus' text format."""
        return generate_latest(self.registry)


class _Fixed(Collector):
    """Metrics that were read already."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def render_state(
    counts: Sequence[StateCount], loads: Sequence[TenantLoad], accounts: Sequence[PoolLoad], now: datetime
) -> bytes:
    """Return what store and scheduler say at this moment, in Prometheus' text format."""
    recordings = GaugeMetricFamily("callspool_recordings", "Recordings by state.", labels=("tenant", "state", "reason"))
    oldest = GaugeMetricFamily(
        "callspool_oldest_seconds", "How long the oldest has been in its state.", labels=("tenant", "state", "reason")
    )
    for row in counts:
        labels = (row.tenant_id, row.state, row.reason or "")
        recordings.add_metric(labels, row.count)
        if row.oldest is not None:
            oldest.add_metric(labels, max(0.0, (now - row.oldest).total_seconds()))
    figures: Mapping[str, tuple[str, Callable[[TenantLoad], float]]] = {
        "callspool_slots": ("Slots of the tenant.", lambda load: load.slots),
        "callspool_running": ("Slots in use.", lambda load: load.running),
        "callspool_backlog": ("Jobs that wait for a slot.", lambda load: load.waiting),
        "callspool_deferred": ("Jobs put off to a time.", lambda load: load.deferred),
        "callspool_oldest_wait_seconds": ("Wait of the oldest job.", lambda load: load.oldest_wait_ms / 1000),
    }
    of_accounts: Mapping[str, tuple[str, Callable[[PoolLoad], float]]] = {
        "callspool_account_limit": ("Downloads that the account may have now.", lambda load: load.limit),
        "callspool_account_running": ("Downloads of the account.", lambda load: load.running),
        "callspool_account_backlog": ("Jobs that wait for the account.", lambda load: load.waiting),
        "callspool_account_oldest_wait_seconds": ("Wait of its oldest job.", lambda load: load.oldest_wait_ms / 1000),
    }
    families: list[Metric] = [recordings, oldest]
    for name, (text, value) in figures.items():
        family = GaugeMetricFamily(name, text, labels=("tenant",))
        for load in loads:
            family.add_metric((load.tenant,), value(load))
        families.append(family)
    for name, (text, of) in of_accounts.items():
        family = GaugeMetricFamily(name, text, labels=("account",))
        for pool in accounts:
            family.add_metric((pool.pool,), of(pool))
        families.append(family)
    registry = CollectorRegistry()
    registry.register(_Fixed(families))
    return generate_latest(registry)
