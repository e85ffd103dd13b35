"""The engine's settings: where a value comes from, what it may be, and what is refused."""

from pathlib import Path

import pytest

from migrator import Migrator, MigratorError, Settings, SettingsError
from tests.kit.assertions import assert_refused, assert_says
from tests.kit.processes import Project


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    path = tmp_path / "alembic.ini"
    path.write_text("[migrator]\nlock_wait = 11\nlock_timeout = 111\nlog = no\n")
    return path


def test_an_argument_wins_over_the_environment_and_that_over_the_file(ini: Path) -> None:
    environ = {"MIGRATOR_LOCK_WAIT": "22", "MIGRATOR_RETRY_FOR": "2.5"}
    settings = Settings.load(ini, environ=environ, lock_wait=33, statement_timeout=None)
    assert (settings.lock_wait, settings.lock_timeout, settings.retry_for) == (33, 111, 2.5)
    assert settings.statement_timeout is None
    assert settings.log is False
    assert Settings.load(ini, environ=environ).lock_wait == 22
    assert Settings.load(ini, environ={}).lock_wait == 11


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.load(None, environ={})
    assert (settings.lock_wait, settings.lock_timeout, settings.retry_for) == (300.0, 250, 60.0)
    assert (settings.database_url, settings.source, settings.root) == ("sqlite:///app.db", "the default", tmp_path)
    assert settings.log is True


def test_seconds_may_have_a_fraction_and_milliseconds_may_not(ini: Path) -> None:
    settings = Settings.load(ini, environ={"MIGRATOR_LOCK_WAIT": "0.5", "MIGRATOR_STATEMENT_TIMEOUT": "90000"})
    assert (settings.lock_wait, settings.statement_timeout) == (0.5, 90000)
    with pytest.raises(SettingsError, match=r"lock_timeout = '0\.5' is refused"):
        Settings.load(ini, environ={"MIGRATOR_LOCK_TIMEOUT": "0.5"})


@pytest.mark.parametrize("word", ["1", "true", "Yes", "ON"])
def test_a_switch_takes_the_usual_words(ini: Path, word: str) -> None:
    assert Settings.load(ini, environ={"MIGRATOR_LOG": word}).log is True


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("lock_timeout", "0", "0 would wait for ever and queue every writer behind the wait"),
        ("lock_timeout", "-1", "0 would wait for ever"),
        ("lock_timeout", "soon", "it takes a whole number of milliseconds"),
        ("lock_timeout", "", "it takes a whole number of milliseconds"),
        ("statement_timeout", "0", "0 would switch it off; leave it out instead"),
        ("lock_wait", "-1", "it takes a number of seconds, 0 or more"),
        ("lock_wait", "nan", "it takes a number of seconds, 0 or more"),
        ("lock_wait", "inf", "it takes a number of seconds, 0 or more"),
        ("idle_limit", "0", "0 would let a run whose machine has vanished keep its locks for ever"),
        ("idle_limit", "0.0", "0 would let a run whose machine has vanished"),
        ("idle_limit", "1e9", "it takes a number of seconds, 0.001 to 2147483"),
        ("retry_for", "-0.1", "it takes a number of seconds, 0 or more"),
        ("log", "perhaps", "it takes yes or no"),
    ],
)
def test_a_value_that_would_switch_a_guarantee_off_is_refused(ini: Path, name: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load(ini, environ={f"MIGRATOR_{name.upper()}": value})
    assert_says(str(refused.value), "setting-refused", name, reason)
    assert refused.value.fields["name"] == name
    ini.write_text(f"[migrator]\n{name} = {value}\n")
    with pytest.raises(SettingsError) as refused:
        Settings.load(ini, environ={})
    assert_says(str(refused.value), "setting-refused", name, reason)


def test_an_unknown_setting_in_the_file_is_refused_and_the_known_ones_are_named(ini: Path) -> None:
    ini.write_text("[migrator]\nlock_tiemout = 100\n")
    with pytest.raises(SettingsError) as refused:
        Settings.load(ini, environ={})
    assert_says(str(refused.value), "setting-refused", "lock_tiemout", "there are", "lock_timeout", "lock_wait")


def test_an_unknown_setting_from_python_is_a_mistake_in_the_program(ini: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        Migrator(ini, lock_tiemout=100)
    assert_says(str(refused.value), "setting-refused", "did you mean lock_timeout?")


def test_settings_cannot_be_changed_afterwards(ini: Path) -> None:
    settings = Settings.load(ini, environ={})
    with pytest.raises(AttributeError):
        settings.lock_timeout = 0  # type: ignore[misc]


def test_every_refusal_can_be_caught_as_one_kind_of_error(tmp_path: Path) -> None:
    with pytest.raises(MigratorError) as refused:
        Migrator(tmp_path / "alembic.ini")
    assert refused.value.code == "config-missing"
    assert refused.value.exit_code == 2


def test_the_command_line_refuses_as_the_settings_do(project: Project, sqlite_url: str) -> None:
    assert_refused(
        project.migrate("upgrade", "--lock-wait", "-1", url=sqlite_url), "setting-refused", "lock_wait = -1.0"
    )
    refused = project.migrate("upgrade", url=sqlite_url, environment={"MIGRATOR_LOCK_TIMEOUT": "0"})
    assert_refused(refused, "setting-refused", "lock_timeout = 0", "queue every writer")
    said = project.alembic("upgrade", "head", url=sqlite_url, environment={"MIGRATOR_LOCK_TIMEOUT": "0"})
    assert said.code == 255
    assert_says(said.stdout, "setting-refused", "FAILED: The setting lock_timeout = 0 is refused")
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()
