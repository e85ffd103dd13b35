"""The names of the settings: a misspelt one is refused and the nearest named, an old one still works and warns."""

import warnings
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from migrator import Migrator, MigratorError, Settings, SettingsError
from migrator.settings import NAMES

SECRET = "postgresql://me:hunter2@localhost/app"
# What Kubernetes puts into the environment of each container for a service of the name "migrator", or "migrator-web".
OF_KUBERNETES = {
    "MIGRATOR_SERVICE_HOST": "10.0.0.11",
    "MIGRATOR_SERVICE_PORT": "6379",
    "MIGRATOR_SERVICE_PORT_HTTP": "80",
    "MIGRATOR_PORT": "tcp://10.0.0.11:6379",
    "MIGRATOR_PORT_6379_TCP": "tcp://10.0.0.11:6379",
    "MIGRATOR_PORT_6379_TCP_PROTO": "tcp",
    "MIGRATOR_PORT_6379_TCP_PORT": "6379",
    "MIGRATOR_PORT_6379_TCP_ADDR": "10.0.0.11",
    "MIGRATOR_WEB_SERVICE_HOST": "10.0.0.12",
    "MIGRATOR_WEB_PORT_80_TCP_ADDR": "10.0.0.12",
}


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    path = tmp_path / "alembic.ini"
    path.write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    return path


def write(ini: Path, *lines: str) -> None:
    ini.write_text("\n".join(("[migrator]", *lines, "")))


def refused(*arguments: Any, **options: Any) -> MigratorError:
    with pytest.raises(SettingsError) as caught:
        Settings.load(*arguments, **{"environ": {}, **options})
    assert caught.value.code == "setting-refused"
    return caught.value


def test_the_settings_are_those_that_alembic_ini_may_say() -> None:
    names = ("lock_wait", "lock_timeout", "retry_for", "statement_timeout", "idle_limit", "log", "log_table", "log_key")
    assert (*names, "run_stored", "verify_stamp", "owned_tables", "accept_loss") == NAMES
    assert {field.name for field in fields(Settings)} == {"root", "database_url", "source", *NAMES}


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("lock_wiat", "lock_wait"), ("lock_timeot", "lock_timeout"), ("owned_table", "owned_tables"), ("loged", "log")],
)
def test_a_misspelt_name_is_refused_and_the_nearest_is_named(ini: Path, wrong: str, nearest: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Migrator(ini, **{wrong: 3})
    said = caught.value
    assert (said.fields["name"], said.fields["value"], said.fields["nearest"]) == (wrong, 3, nearest)
    assert f"did you mean {nearest}?" in str(said)
    assert set(NAMES) <= set(said.fields["known"])
    write(ini, f"{wrong} = 3")
    said = refused(ini)
    assert (said.fields["name"], said.fields["nearest"], said.fields["known"]) == (wrong, nearest, NAMES)
    ini.write_text("")
    variable = f"MIGRATOR_{nearest.upper()}"
    said = refused(ini, environ={f"MIGRATOR_{wrong.upper()}": "3"})
    assert (said.fields["name"], said.fields["nearest"]) == (f"MIGRATOR_{wrong.upper()}", variable)
    assert f"did you mean {variable}?" in str(said)


def test_a_name_that_is_like_no_other_is_refused_with_the_list(ini: Path) -> None:
    said = refused(ini, colour="red")
    assert (said.fields["nearest"], said.fields["reason"].partition("; there are ")[0]) == (
        None,
        "there is no such setting",
    )
    assert all(name in str(said) for name in NAMES)
    assert "did you mean" not in str(said)


@pytest.mark.parametrize("name", ["drop_adopted", "accept_harmless", "adopting", "bridge", "root", "source"])
def test_what_one_command_says_is_no_setting(ini: Path, name: str) -> None:
    assert refused(ini, **{name: True}).fields["name"] == name
    write(ini, f"{name} = true")
    assert refused(ini).fields["name"] == name
    ini.write_text("")
    assert refused(ini, environ={f"MIGRATOR_{name.upper()}": "1"}).fields["name"] == f"MIGRATOR_{name.upper()}"


def test_what_kubernetes_puts_into_the_environment_is_no_setting(ini: Path) -> None:
    assert Settings.load(ini, environ={**OF_KUBERNETES, "MIGRATOR_LOCK_WAIT": "7"}).lock_wait == 7
    assert Settings.load(ini, environ={"MIGRATION_DATABASE_URL": "sqlite://", "migrator_x": "1"}).log is True


def test_a_section_of_defaults_is_not_ours(ini: Path) -> None:
    ini.write_text("[DEFAULT]\nregion = eu\nlock_wait = 9\n[migrator]\nretry_for = 8\n")
    settings = Settings.load(ini, environ={})
    assert (settings.lock_wait, settings.retry_for) == (9, 8)


@pytest.mark.parametrize(
    ("old", "new", "text", "value"), [("audit", "log", "no", False), ("own", "owned_tables", "a, b", ("a", "b"))]
)
def test_an_old_name_works_and_warns_of_the_new_one(ini: Path, old: str, new: str, text: str, value: object) -> None:
    with pytest.warns(FutureWarning, match=rf"^{old} is now called {new}; ") as warned:
        assert getattr(Migrator(ini, **{old: value}).settings, new) == value
    assert [one.filename for one in warned] == [__file__]
    variable = f"MIGRATOR_{old.upper()}"
    with pytest.warns(FutureWarning, match=rf"^{variable} is now called MIGRATOR_{new.upper()}; "):
        assert getattr(Settings.load(ini, environ={variable: text}), new) == value
    write(ini, f"{old} = {text}")
    with pytest.warns(FutureWarning, match=rf"^{old} in alembic\.ini is now called {new}; "):
        assert getattr(Settings.load(ini, environ={}), new) == value


@pytest.mark.parametrize(("old", "new"), [("audit", "log"), ("own", "owned_tables")])
def test_an_old_name_and_the_new_one_together_are_refused(ini: Path, old: str, new: str) -> None:
    reason = "it is the old name of {}, which is given as well"
    said = refused(ini, **{old: "yes", new: "yes"})
    assert (said.fields["name"], said.fields["reason"]) == (old, reason.format(new))
    variables = {f"MIGRATOR_{name.upper()}": "yes" for name in (old, new)}
    assert refused(ini, environ=variables).fields["reason"] == reason.format(f"MIGRATOR_{new.upper()}")
    write(ini, f"{old} = yes", f"{new} = yes")
    assert refused(ini).fields["reason"] == reason.format(new)


def test_an_old_name_gives_way_to_a_new_one_that_counts_more(ini: Path) -> None:
    write(ini, "audit = no")
    with pytest.warns(FutureWarning, match="audit in alembic.ini"):
        assert Settings.load(ini, environ={"MIGRATOR_LOG": "yes"}).log is True


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("lock_timeout", "5s", "a whole number of milliseconds"),
        ("lock_timeout", 2.5, "a whole number of milliseconds"),
        ("lock_timeout", True, "a whole number of milliseconds"),
        ("lock_timeout", [250], "a whole number of milliseconds"),
        ("lock_timeout", 0, "0 would wait for ever"),
        ("lock_timeout", 2**31, "a whole number of milliseconds"),
        ("statement_timeout", -1, "0 would switch it off"),
        ("statement_timeout", b"1", "a whole number of milliseconds"),
        ("lock_wait", float("nan"), "a number of seconds, 0 or more"),
        ("lock_wait", 10**400, "a number of seconds, 0 or more"),
        ("lock_wait", "1e400", "a number of seconds, 0 or more"),
        ("lock_wait", False, "a number of seconds, 0 or more"),
        ("retry_for", {}, "a number of seconds, 0 or more"),
        ("retry_for", 1j, "a number of seconds, 0 or more"),
        ("log", 1, "yes or no"),
        ("log", "perhaps", "yes or no"),
        ("run_stored", [], "yes or no"),
        ("verify_stamp", "", "yes or no"),
        ("owned_tables", 5, "names of tables"),
        ("owned_tables", ("a", 5), "names of tables"),
        ("owned_tables", {"a"}, "names of tables"),
        ("database_url", 5, "a URL as text"),
        ("database_url", Path("app.db"), "a URL as text"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused(ini: Path, name: str, value: object, takes: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Migrator(ini, **{name: value})
    assert caught.value.code == "setting-refused"
    assert (caught.value.fields["name"], takes in str(caught.value)) == (name, True)
    if name in NAMES and not isinstance(value, str):
        with pytest.raises(SettingsError):
            Settings(root=ini.parent, **{name: value})


def test_none_counts_as_not_given(ini: Path) -> None:
    write(ini, "lock_wait = 5")
    settings = Settings.load(ini, environ={}, **dict.fromkeys((*NAMES, "database_url")))
    assert (settings.lock_wait, settings.log, settings.statement_timeout) == (5, True, None)
    with pytest.raises(SettingsError):
        Settings(root=ini.parent, lock_wait=None)  # type: ignore[arg-type]


def test_values_that_fit_are_taken_in_each_of_their_forms(ini: Path) -> None:
    settings = Settings.load(ini, environ={}, lock_wait="1.5", lock_timeout="9", log="off", owned_tables=["a", "b"])
    assert (settings.lock_wait, settings.lock_timeout, settings.log) == (1.5, 9, False)
    assert settings.owned_tables == ("a", "b")
    assert hash(settings)
    with pytest.raises(FrozenInstanceError):
        settings.log = True  # type: ignore[misc]


@pytest.mark.parametrize("name", ["database_ulr", "url", "lock_wait"])
def test_a_refused_value_shows_no_password(ini: Path, name: str) -> None:
    said = refused(ini, **{name: SECRET})
    assert "hunter2" not in f"{said} {said.fields}"
    said = refused(ini, environ={"MIGRATOR_DATABASE_URL": SECRET})
    assert "hunter2" not in f"{said} {said.fields}"
    assert said.fields["nearest"] == "MIGRATION_DATABASE_URL"
    write(ini, f"{name} = {SECRET}")
    said = refused(ini)
    assert "hunter2" not in f"{said} {said.fields}"
    said = refused(ini, database_url=SECRET.encode())
    assert "hunter2" not in f"{said} {said.fields}"


def test_no_warning_without_an_old_name(ini: Path) -> None:
    write(ini, "log = no")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Settings.load(ini, environ={"MIGRATOR_OWNED_TABLES": "a"}, lock_wait=1).owned_tables == ("a",)
