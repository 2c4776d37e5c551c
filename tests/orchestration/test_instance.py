"""The Dagster instance: its settings follow the program and the user, its storage is SQLite or a real PostgreSQL."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg2
import pytest
import yaml

from eve_pipeline.errors import EveError
from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.orchestration.instance import dagster_home, open_instance
from eve_pipeline.orchestration.launching import Launcher
from eve_pipeline.settings import Settings
from tests.postgres_server import PASSWORD, postgres_server

FIRST_VERSION = """# Copied to EVE_HOME/dagster on first use; https://docs.dagster.io/deployment/oss/dagster-yaml
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 2
"""


def config(settings: Settings) -> dict[str, dict[str, object]]:
    return dict(yaml.safe_load((dagster_home(settings) / "dagster.yaml").read_text()))


def place(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_the_settings_are_those_that_are_shipped(settings: Settings):
    shipped = yaml.safe_load((settings.assets_data / "dagster.yaml").read_text())
    found = config(settings)
    assert found["python_logs"].pop("dagster_handler_config")
    assert found == shipped
    with open_instance(settings) as instance:
        assert not instance.telemetry_enabled
        assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 2)
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_monitoring_enabled
        ticks = instance.get_tick_retention_settings(dg._core.definitions.run_request.InstigatorType.SENSOR)
        assert {status.value: days for status, days in ticks.items() if days > 0} == {"SKIPPED": 1, "SUCCESS": 30, "FAILURE": 90}


def test_the_users_values_are_kept_and_the_others_follow_the_program(settings: Settings):
    place(settings.home / "dagster.yaml", "run_retries: {max_retries: 5}\n")
    written = dagster_home(settings) / "dagster.yaml"
    assert config(settings)["run_retries"] == {"enabled": True, "max_retries": 5, "retry_on_asset_or_op_failure": False}
    (settings.home / "dagster.yaml").unlink()
    before = written.stat()
    assert config(settings)["run_retries"]["max_retries"] == 2
    now = written.stat()
    assert now.st_ino != before.st_ino
    dagster_home(settings)
    assert written.stat().st_ino == now.st_ino, "it is written only where it changes"


def test_a_copy_of_an_earlier_version_follows_the_program(settings: Settings):
    place(settings.home / "dagster" / "dagster.yaml", FIRST_VERSION)
    assert config(settings)["run_monitoring"]["enabled"]
    assert not (settings.home / "dagster.yaml").exists()


def test_an_edited_copy_of_an_earlier_version_becomes_the_users_file(settings: Settings):
    edited = FIRST_VERSION.replace("max_concurrent_runs: 2", "max_concurrent_runs: 7  # a large machine")
    place(settings.home / "dagster" / "dagster.yaml", edited)
    assert config(settings)["concurrency"]["runs"] == {"max_concurrent_runs": 7}
    assert config(settings)["run_monitoring"]["enabled"]
    assert (settings.home / "dagster.yaml").read_text() == edited


def test_edits_in_the_wrong_file_are_not_lost(settings: Settings):
    written = dagster_home(settings) / "dagster.yaml"
    edited = written.read_text().replace("max_concurrent_runs: 2", "max_concurrent_runs: 9")
    written.write_text(edited)
    with pytest.raises(EveError, match=r"dagster\.yaml was edited.*\n.*Move your changes"):
        open_instance(settings)
    assert written.read_text() == edited


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "not a mapping"),
        ("run_retries: {max_retrys: 1}", "max_retrys"),
        ("a: [", "cannot be read"),
        ("storage: {sqlite: {base_dir: /proc/nope}}", "not valid"),
    ],
)
def test_wrong_settings_are_named_with_their_file(settings: Settings, text: str, problem: str):
    place(settings.home / "dagster.yaml", text)
    with pytest.raises(EveError, match=problem) as error:
        open_instance(settings)
    assert str(settings.home / "dagster.yaml") in str(error.value)


def test_a_home_that_cannot_be_written_is_told():
    with pytest.raises(EveError, match="/proc/nope cannot be written"):
        open_instance(Settings(home=Path("/proc/nope")))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["environment", "keyring"])
def url(request: pytest.FixtureRequest, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "environment":
        monkeypatch.setenv("EVE_POSTGRES_URL", server)
    else:
        keyring = place(tmp_path / "keys" / "keys.env", f"EVE_POSTGRES_URL={server}\n")
        keyring.chmod(0o600)
        monkeypatch.setenv("EVE_KEYRING", str(keyring))
    return server


def count(url: str, table: str) -> int:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table}")
        [[number]] = cursor.fetchall()
    connection.close()
    return int(number)


def test_with_one_secret_runs_events_and_partitions_are_in_postgresql(prepared: Settings, url: str):
    prepared = Settings(home=prepared.home)
    with open_instance(prepared) as instance:
        tables = ("runs", "event_logs", "dynamic_partitions")
        before = {table: count(url, table) for table in tables}
        instance.add_dynamic_partitions("dataset", [f"of-{prepared.home.parent.name}"])
        Launcher(build_definitions(prepared), instance, prepared).prepare("photos")
        assert count(url, "runs") == before["runs"] + 1
        assert count(url, "event_logs") > before["event_logs"] + 10
        assert "photos" in instance.get_dynamic_partitions("dataset")
        assert PASSWORD not in instance.info_str()
        assert PASSWORD not in str(instance.get_ref())
    files = [file for file in prepared.home.rglob("*") if file.is_file()]
    assert not [file for file in files if ".db" in file.suffixes or file.read_bytes()[:6] == b"SQLite"]
    assert not [file for file in files if PASSWORD.encode() in file.read_bytes()]


@pytest.mark.usefixtures("url")
def test_two_storages_are_refused(settings: Settings):
    place(settings.home / "dagster.yaml", "storage: {sqlite: {base_dir: /tmp}}\n")
    with pytest.raises(EveError, match="names a storage"):
        open_instance(Settings(home=settings.home))


@pytest.mark.parametrize("wrong", ["password", "host", "scheme", "port", "at", "at, colon", "at, slash", "at, question mark"])
def test_a_database_that_cannot_be_used_is_said_without_the_password(
    settings: Settings, server: str, wrong: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    bad = {
        "password": server.replace(PASSWORD, f"{PASSWORD}-old"),
        "host": f"postgresql://postgres:{PASSWORD}@127.0.0.1:1/postgres",
        "scheme": f"mysterious://postgres:{PASSWORD}@127.0.0.1/postgres",
        "port": f"postgresql://postgres:{PASSWORD}@127.0.0.1:first/postgres",
        "at": f"postgresql://postgres:a@{PASSWORD}@127.0.0.1:1/postgres",
        "at, colon": f"postgresql://postgres:a@b:{PASSWORD}@127.0.0.1:1/postgres",
        "at, slash": f"postgresql://postgres:a@{PASSWORD}/b@127.0.0.1:1/postgres",
        "at, question mark": f"postgresql://postgres:a@{PASSWORD}?b@127.0.0.1:1/postgres",
    }
    monkeypatch.setenv("EVE_POSTGRES_URL", bad[wrong])
    with caplog.at_level(logging.DEBUG), pytest.raises(EveError, match="EVE_POSTGRES_URL cannot be used") as error:
        open_instance(settings)
    assert PASSWORD not in f"{error.getrepr(chain=True)} {caplog.text}".replace(f"EVE_POSTGRES_URL={bad[wrong]}", "")


OPENER = """
import sys
from pathlib import Path
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.settings import Settings

print("ready", flush=True)
sys.stdin.readline()
with open_instance(Settings(home=Path(sys.argv[1]))) as instance:
    instance.get_runs()
"""


def test_processes_that_open_it_for_the_first_time_at_once_all_succeed(settings: Settings):
    command = [sys.executable, "-c", OPENER, str(settings.home)]
    openers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(6)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:  # all have imported Dagster by now
        assert opener.stdin is not None
        opener.stdin.write("\n")
        opener.stdin.flush()
    assert [opener.communicate()[1] for opener in openers] == [""] * 6
