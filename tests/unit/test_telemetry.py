"""Logs without secrets; metrics that do not mix."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from callspool.domain.ids import TenantId
from callspool.domain.job import PoolLoad, TenantLoad
from callspool.domain.ports.counts import StateCount
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from callspool.telemetry import Metrics, configure_logging, redact, render_state

KEY = "cs_0001020304050607_" + "Q" * 43


@pytest.fixture(params=["json", "console"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(level="info", form=request.param, stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "secret",
    [
        KEY.rsplit("_", 1)[1],
        "linktokencanary",
        "+15005550006",
        "%2B15005550006",
        "passwordcanary",
        "QUM6c2VjcmV0Y2FuYXJ5",
    ],
)
def test_no_line_has_a_secret_whoever_wrote_it(lines: io.StringIO, secret: str) -> None:
    text = (
        f"GET /api/recordings/rec_1/audio?token=linktokencanary&x=1 key {KEY} From=+15005550006&To=%2B15005550006 "
        f"https://user:passwordcanary@host/ Authorization: Basic QUM6c2VjcmV0Y2FuYXJ5"
    )
    structlog.get_logger("ours").info("request.seen", text=text, nested={"list": [text]})
    logging.getLogger("uvicorn.access").info('%s - "%s"', "1.2.3.4", text)
    try:
        raise RuntimeError(text)
    except RuntimeError:
        logging.getLogger("other").exception("it broke")
        structlog.get_logger("ours").exception("request.failed")

    written = lines.getvalue()
    assert written.count("rec_1") >= 5
    assert secret not in written


def test_fields_with_a_secret_s_name_are_hidden(lines: io.StringIO) -> None:
    structlog.get_logger("ours").info("account.added", auth_token="canary1", api_secret="canary2", tenant_id="acme")

    assert "canary" not in lines.getvalue()
    assert "acme" in lines.getvalue()


@pytest.mark.parametrize(
    "text", ["x?token=", 'password="', "token='", 'token=\\\\"', "it's token: ", "password=back\\\\"]
)
@pytest.mark.parametrize("lines", ["json"], indirect=True)
def test_a_json_line_stays_json(lines: io.StringIO, text: str) -> None:
    structlog.get_logger("ours").info("request.seen", text=text, nested={"text": text}, after="q\"uote's", number=3)

    line = json.loads(lines.getvalue())
    assert (line["after"], line["number"]) == ("q\"uote's", 3)


def test_ids_stay_readable() -> None:
    text = (
        "recording rec_018f0000000070008000000000000001 of RE" + "0123456789abcdef" * 2 + " at 2026-05-04T12:00:00+0000"
    )

    assert redact(text) == text


def test_two_processes_in_one_do_not_mix_their_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.observe_fetch(tenant="acme", outcome="ready", size=1234, seconds=0.5, time_to_ready_s=2.0)
    first.observe_fetch(tenant="acme", outcome="deferred", reason="not_ready")

    text = first.render().decode()
    assert 'callspool_fetches_total{outcome="ready",reason="",tenant="acme"} 1.0' in text
    assert 'callspool_fetches_total{outcome="deferred",reason="not_ready",tenant="acme"} 1.0' in text
    assert 'callspool_fetched_bytes_total{tenant="acme"} 1234.0' in text
    assert "callspool_time_to_ready_seconds_count 1.0" in text
    assert "acme" not in second.render().decode()


def test_state_is_told_by_tenant_state_and_reason() -> None:
    now = datetime(2026, 5, 4, tzinfo=UTC)
    counts = [StateCount(TenantId("acme"), State.FAILED, Reason.GONE, 7, now - timedelta(seconds=90))]
    loads = [TenantLoad("acme", slots=3, running=2, waiting=5, deferred=1, oldest_wait_ms=1500)]

    pool = PoolLoad("main", 10, 20, False, 0, "", False, 3, 5, 1500, 20, now_ms=0)

    text = render_state(counts, loads, [pool], now).decode()

    assert 'callspool_recordings{reason="gone",state="failed",tenant="acme"} 7.0' in text
    assert 'callspool_oldest_seconds{reason="gone",state="failed",tenant="acme"} 90.0' in text
    assert 'callspool_running{tenant="acme"} 2.0' in text
    assert 'callspool_backlog{tenant="acme"} 5.0' in text
    assert 'callspool_oldest_wait_seconds{tenant="acme"} 1.5' in text
    of_account = {"limit": 10.0, "running": 3.0, "backlog": 5.0, "oldest_wait_seconds": 1.5}
    for name, value in of_account.items():
        assert f'callspool_account_{name}{{account="main"}} {value}' in text
