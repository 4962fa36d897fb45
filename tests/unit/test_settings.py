"""Settings: read from the environment, strictly."""

from datetime import timedelta
from pathlib import Path

import pytest

from callspool.cli.settings_page import page
from callspool.domain.errors import Misconfigured
from callspool.domain.ids import TenantId
from callspool.domain.tenant import Tenant
from callspool.settings import Settings, environment_without_settings


def test_unknown_setting_is_refused_and_named() -> None:
    with pytest.raises(Misconfigured, match=r"CALLSPOOL_SLOT\."):
        Settings.read({"CALLSPOOL_SLOT": "3"})


def test_value_out_of_bounds_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSPOOL_CONCURRENCY", "0")
    with pytest.raises(Misconfigured, match=r"CALLSPOOL_CONCURRENCY.*greater than or equal to 1"):
        Settings.read()


def test_bare_numbers_are_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSPOOL_LEASE", "2.5")
    assert Settings.read().lease == timedelta(seconds=2.5)


@pytest.mark.parametrize("text", ["soon", "nan", "inf"])
def test_what_is_no_number_of_seconds_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CALLSPOOL_LEASE", text)
    with pytest.raises(Misconfigured, match="CALLSPOOL_LEASE"):
        Settings.read()


@pytest.mark.rule("S1", "S4", "S5", "S6")
def test_defaults_are_those_that_the_rules_ask_for() -> None:
    settings = Settings.read({})
    seconds = {
        name: getattr(settings, name).total_seconds()
        for name in ("dedup_window", "fetch_deadline", "queued_ttl", "lease")
    }
    assert seconds == {"dedup_window": 120, "fetch_deadline": 900, "queued_ttl": 1200, "lease": 30}
    assert settings.retry_scale == 1
    assert Tenant(TenantId("acme"), "Acme").slots == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALKEY_URL", "valkeys://me:s3cret@valkey.internal:6379/0?ssl=1"),
        ("PUBLIC_URL", "https://me:s3cret@calls.example"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_without_its_password(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=f"CALLSPOOL_{name}: .*internal|calls.example") as told:
        Settings.read({f"CALLSPOOL_{name}": value})
    assert "s3cret" not in str(told.value)


def test_what_is_given_is_read_and_nothing_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSPOOL_LEASE", "5")
    monkeypatch.setenv("CALLSPOOL_MISTYPED", "5")
    assert Settings.read({"CALLSPOOL_PORT": "1"}) == Settings.read({}, port=1)
    assert Settings.read({}).lease == timedelta(seconds=30)


def test_a_child_gets_these_settings_and_nothing_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSPOOL_SECRET_KEY_FILE", "/of/the/shell")
    monkeypatch.setenv("CALLSPOOL_MISTYPED", "5")
    given = Settings.read({}, data=Path("/somewhere"), lease=5)
    assert Settings.read(given.for_child()) == given
    assert not [name for name in environment_without_settings() if name.startswith("CALLSPOOL_")]


def test_another_process_gets_the_very_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = Settings.read(None, data=tmp_path, lease=2.5, retry_scale=0.5, port=0)
    for name, value in given.as_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.read() == given


def test_page_of_the_documentation_is_current() -> None:
    written = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == page()
