"""The doctor: what is wrong is said with its level and what to do, and what is not in use is no problem."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread

import dagster as dg
import polars as pl
import pytest
from rich.console import Console
from ulid import ULID

from eve_pipeline.doctor import Finding, diagnose, findings_table
from eve_pipeline.doctor.versions import look_at_versions
from eve_pipeline.orchestration.health import release_abandoned_runs
from eve_pipeline.orchestration.hosts import HOST, in_process_executor
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.responses.journal import JournalFile
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from tests.json_server import json_server
from tests.postgres_server import postgres_server
from tests.shell import eve

KEY = "sk-doctor-planted-99"
TWO_DAYS_AGO = time.time() - 2 * 86_400
DYING = """
import os, signal, sys
from pathlib import Path
import dagster as dg
from eve_pipeline.orchestration.hosts import HOST, in_process_executor
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.settings import Settings

@dg.op
def die():
    os.kill(os.getpid(), signal.SIGKILL)

@dg.job
def dying():
    die()

with open_instance(Settings(home=Path(sys.argv[1]))) as instance:
    dying.execute_in_process(instance=instance, tags={"eve/host": sys.argv[2]})
"""


def found(settings: Settings, what: str) -> Finding:
    [finding] = [finding for finding in diagnose(settings) if finding.what == what]
    return finding


def age(path: Path) -> Path:
    os.utime(path, (TWO_DAYS_AGO, TWO_DAYS_AGO))
    return path


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "EVE_POSTGRES_URL", "EVE_ALERT_WEBHOOK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listing() -> Iterator[str]:
    """A server that lists one model to those who know the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.headers["Authorization"] == f"Bearer {KEY}"
            body = json.dumps({"object": "list", "data": [{"id": "stub", "object": "model"}]} if is_known else {"error": KEY}).encode()
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_a_fresh_home_is_well(settings: Settings):
    findings = diagnose(settings)
    assert [finding for finding in findings if finding.status == "error"] == []
    assert found(settings, "eve.duckdb").to_do == "Run eve demo, eve run or eve publish."
    assert found(settings, "daemon").found == "never ran"
    assert found(settings, "Dagster").found.startswith("SQLite; up to 2 retries")
    assert found(settings, "alerts").found == "off"


def test_a_missing_checkpoint_is_found(settings: Settings, add_model: Callable[..., None], tmp_path: Path):
    add_model("mine", backend="transformers", id="mine", path=str(tmp_path))
    finding = found(settings, "model mine")
    assert finding.status == "error"
    assert "path" in finding.to_do


def test_every_broken_entry_is_found(settings: Settings, add_model: Callable[..., None]):
    assert found(settings, "entries")[1:3] == ("ok", "all can be read")
    add_model("mine", backend="openai", idd="x")
    (settings.home / "prompts").mkdir()
    (settings.home / "prompts" / "mine.yaml").write_text("text: [")
    findings = [finding for finding in diagnose(settings) if finding.what == "entries"]
    assert [finding.status for finding in findings] == ["error", "error"]
    assert "models.yaml: entry 'mine' is not valid: id: Field required (line" in findings[0].found
    assert "mine.yaml cannot be read" in findings[1].found
    assert found(settings, "torch device").status == "ok"


def test_a_broken_link_is_found(settings: Settings):
    settings.home.mkdir()
    (settings.home / "eve.duckdb").symlink_to("published/gone/eve.duckdb")
    assert found(settings, "eve.duckdb")[1:] == ("error", "leads to published/gone/eve.duckdb, which is gone", "Run eve publish.")


def test_what_killed_processes_left_is_found_once_it_is_old(settings: Settings):
    warehouse = Warehouse.of(settings)
    held, abandoned = JournalFile(warehouse.journals), JournalFile(warehouse.journals)
    abandoned.close()
    abandoned.lock.release()
    assert found(settings, "journals")[1:] == ("ok", "1 in use, 1 abandoned", "The next eve run folds their replies in.")
    age(held.path)
    age(abandoned.path)
    assert found(settings, "journals").status == "warning"
    held.close()
    held.lock.release()
    torn = warehouse.file("answers", "m", "s.p").with_name(f".s.p.parquet.{ULID()}.tmp")
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"x" * 3_000_000)
    assert found(settings, "leftover files").found == "none"
    age(torn)
    leftovers = found(settings, "leftover files")
    assert leftovers[1:3] == ("warning", "1, 3 MB, of processes that were killed")
    assert eve("prune", "--yes", home=settings.home).returncode == 0
    assert found(settings, "leftover files").found == "none"


def test_files_of_other_versions_and_damaged_ones_are_found(prepared: Settings):
    warehouse = Warehouse.of(prepared)
    file = warehouse.file("images", "photos")
    rows = pl.read_parquet(file)
    rows.write_parquet(warehouse.file("images", "newer"), metadata={"contract": "images", "contract_version": "99"})
    version = contracts()["images"].version
    rows.write_parquet(warehouse.file("images", "older"), metadata={"contract": "images", "contract_version": str(version - 1)})
    warehouse.file("benchmark_items", "torn").write_bytes(file.read_bytes()[:100])
    wrong = {finding.what: finding for finding in diagnose(prepared) if finding.what.startswith("table ")}
    assert "newer.parquet has version 99" in wrong["table images"].found
    assert wrong["table images"].to_do == "Upgrade eve_pipeline."
    assert "torn.parquet is not a readable Parquet file" in wrong["table benchmark_items"].found
    assert {finding.status for finding in wrong.values()} == {"error"}
    assert "; 1 of an earlier version" in found(prepared, "tables").found


def test_a_key_is_named_and_never_shown(settings: Settings, add_model: Callable[..., None], listing: str, monkeypatch: pytest.MonkeyPatch):
    assert found(settings, "key OPENAI_API_KEY").status == "ok", "nobody has asked a model that needs it"
    add_model("mine", backend="openai", id="stub", base_url=listing, api_key_env="MY_KEY")
    assert found(settings, "key MY_KEY")[1:3] == ("error", "is not set")
    assert not [finding for finding in diagnose(settings) if finding.what == f"endpoint {listing}"]
    monkeypatch.setenv("MY_KEY", KEY)
    assert found(settings, "key MY_KEY") == Finding("key MY_KEY", "ok", "is set")
    assert found(settings, f"endpoint {listing}") == Finding(f"endpoint {listing}", "ok", "answers, lists 1 models")
    assert KEY not in str(diagnose(settings))


def test_an_endpoint_says_what_is_wrong(settings: Settings, add_model: Callable[..., None], listing: str, monkeypatch: pytest.MonkeyPatch):
    add_model("mine", backend="openai", id="other", base_url=listing, api_key_env="MY_KEY")
    add_model("away", backend="openai", id="other", base_url="http://127.0.0.1:1/v1")
    monkeypatch.setenv("MY_KEY", KEY)
    assert found(settings, f"endpoint {listing}")[1:3] == ("warning", "answers, does not list mine (other)")
    assert found(settings, "endpoint http://127.0.0.1:1/v1")[1:] == ("warning", "does not answer", "Start the server to ask away.")
    monkeypatch.setenv("MY_KEY", "sk-of-last-year")
    refused = found(settings, f"endpoint {listing}")
    assert refused[1:3] == ("error", "refuses the key (401)")
    assert "api_key_env" in refused.to_do


def test_an_address_without_a_list_is_a_question_of_its_base_url(settings: Settings, add_model: Callable[..., None]):
    with json_server(lambda _: (404, {"error": "no such page"})) as at:
        add_model("mine", backend="openai", id="stub", base_url=f"http://{at}/api")
        finding = found(settings, f"endpoint http://{at}/api")
    assert finding[1:3] == ("warning", "answers (404), lists no models")
    assert "base_url" in finding.to_do
    assert "Start" not in finding.to_do


def test_a_keyring_that_others_can_read_hides_nothing_else(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    keyring = tmp_path / "keys.env"
    keyring.write_text(f"OPENAI_API_KEY={KEY}\n")
    keyring.chmod(0o644)
    monkeypatch.setenv("EVE_KEYRING", str(keyring))
    findings = diagnose(Settings(home=settings.home))
    [models] = [finding for finding in findings if finding.what == "models"]
    assert models.status == "error"
    assert models.to_do == f"Run: chmod 600 {keyring}"
    assert {"EVE_HOME", "Python"} <= {finding.what for finding in findings}


@pytest.mark.parametrize("text", ["run_queue: 7", "concurrency: 5", "scheduler: {module: nothing.here, class: X}"])
def test_settings_of_dagster_that_are_not_valid_are_found(settings: Settings, text: str):
    settings.home.mkdir()
    (settings.home / "dagster.yaml").write_text(text)
    finding = found(settings, "Dagster")
    assert finding.status == "error"
    assert "The Dagster settings are not valid" in finding.found


@pytest.mark.parametrize("database", ["history/runs.db", "schedules/schedules.db"])
def test_a_damaged_database_of_dagster_is_found_and_hides_nothing_else(settings: Settings, database: str):
    with open_instance(settings) as instance:
        instance.get_runs()
        instance.all_instigator_state()
    (settings.home / "dagster" / database).write_bytes(b"no database" * 100)
    finding = found(settings, "Dagster")
    assert finding.status == "error"
    assert "file is not a database" in finding.found
    assert found(settings, "Python").status == "ok"


def test_a_published_folder_on_another_disk_is_well(settings: Settings, tmp_path: Path):
    (tmp_path / "disk" / "01").mkdir(parents=True)
    (tmp_path / "disk" / "01" / "eve.duckdb").touch()
    settings.home.mkdir()
    (settings.home / "published").symlink_to(tmp_path / "disk")
    (settings.home / "eve.duckdb").symlink_to("published/01/eve.duckdb")
    assert found(settings, "eve.duckdb")[1:3] == ("ok", "published/01/eve.duckdb")


@pytest.mark.parametrize("fault", ["http://127.0.0.1:abc/v1", "http://[::1/v1"])
def test_a_base_url_that_is_none_is_found(settings: Settings, add_model: Callable[..., None], fault: str):
    add_model("mine", backend="openai", id="stub", base_url=fault)
    finding = found(settings, "entries")
    assert finding.status == "error"
    assert "base_url: Value error, this is no URL" in finding.found


def test_what_is_broken_in_no_known_way_hides_nothing_else(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """A folder of locks in the place of a lock file, and a path that holds a secret."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    settings = Settings(home=settings.home / KEY)
    (settings.home / "journals" / "a.lock").mkdir(parents=True)
    (settings.home / "journals" / "a.jsonl").touch()
    finding = found(settings, "files")
    assert finding.status == "error"
    assert "cannot be looked at: " in finding.found
    assert KEY not in finding.found
    assert found(settings, "Python").status == "ok"


def test_a_database_that_is_down_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVE_POSTGRES_URL", f"postgresql://me:{KEY}@127.0.0.1:1/eve")
    finding = found(settings, "Dagster")
    assert finding.status == "error"
    assert "EVE_POSTGRES_URL cannot be used" in finding.found
    assert KEY not in str(finding)


def test_a_run_whose_process_is_gone_is_found_and_can_be_released(settings: Settings):
    died = subprocess.run([sys.executable, "-c", DYING, str(settings.home), "anywhere"], capture_output=True, check=False)
    assert died.returncode == -9
    with open_instance(settings) as instance:
        [run] = instance.get_runs()
    assert run.status == dg.DagsterRunStatus.STARTED
    finding = found(settings, "abandoned runs")
    assert finding.status == "error"
    assert run.run_id[:8] in finding.found
    assert release_abandoned_runs(settings) == [run.run_id]
    assert "abandoned runs" not in {finding.what for finding in diagnose(settings)}
    assert found(settings, "runs")[1:3] == ("warning", "0 under way, 1 failed within a day")
    with open_instance(settings) as instance:
        assert instance.get_run_by_id(run.run_id).tags["dagster/will_retry"] == "true"


def test_with_postgresql_only_runs_of_this_machine_are_judged(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with postgres_server(tmp_path) as url:
        monkeypatch.setenv("EVE_POSTGRES_URL", url)
        for host in (socket.gethostname(), "elsewhere"):
            subprocess.run([sys.executable, "-c", DYING, str(settings.home), host], capture_output=True, check=False)
        with open_instance(settings) as instance:
            hosts = {run.run_id: run.tags[HOST] for run in instance.get_runs()}
        [here] = [run_id for run_id, host in hosts.items() if host != "elsewhere"]
        assert found(settings, "abandoned runs").found.startswith(f"{here[:8]}: under way")
        assert release_abandoned_runs(settings) == [here]
        assert "abandoned runs" not in {finding.what for finding in diagnose(settings)}
        assert found(settings, "runs")[2] == "1 under way, 1 failed within a day"


@dg.job(executor_def=in_process_executor)
def nothing() -> None: ...


def test_a_run_is_tagged_with_its_machine(settings: Settings):
    with open_instance(settings) as instance, dg.execute_job(dg.reconstructable(nothing), instance) as result:
        assert result.success
        [run] = instance.get_runs()
    assert run.tags[HOST] == socket.gethostname()


def test_a_run_that_is_under_way_is_left_alone(settings: Settings):
    @dg.op
    def look() -> None:
        assert found(settings, "runs")[1:3] == ("ok", "1 under way, 0 failed within a day")
        assert release_abandoned_runs(settings) == []

    @dg.job
    def looking() -> None:
        look()

    with open_instance(settings) as instance:
        assert looking.execute_in_process(instance=instance).success


def test_installed_versions_are_those_of_the_pins(settings: Settings):
    assert [finding.status for finding in look_at_versions(settings)] == ["ok"] * 4


def test_another_version_of_a_library_and_unfit_siblings_are_found(settings: Settings, tmp_path: Path):
    """A folder of the module search path in which other versions seem to be installed."""
    for name, told in (("rich", "1.0"), ("dagster_webserver", "1.13.0")):
        folder = tmp_path / f"{name}-{told}.dist-info"
        folder.mkdir()
        needs = "Requires-Dist: dagster==1.13.0\n" if name == "dagster_webserver" else ""
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {told}\n{needs}")
    code = (
        "from eve_pipeline.doctor.versions import look_at_versions\nfrom eve_pipeline.settings import Settings\n"
        "for finding in look_at_versions(Settings()): print(finding.what, finding.status, finding.found, sep='|')"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
    assert "versions|warning|2 not as tested: dagster-webserver 1.13.0, rich 1.0" in told
    assert "dagster and dbt|error|dagster-webserver needs dagster==1.13.0, not 1.13.27" in told


@pytest.mark.parametrize("width", [80, 120])
def test_what_is_said_fits_the_terminal_whole(settings: Settings, width: int):
    findings = [
        *diagnose(settings),
        Finding(f"endpoint https://{'long-name.' * 6}test/v1", "error", "[bold]does not answer[/]", "Start it. " * 20),
    ]
    out = StringIO()
    Console(file=out, width=width).print(findings_table(findings))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    column = next(line.index("found") for line in lines if "found" in line)
    told = "".join("".join(line[column:].split()) for line in lines)
    for finding in findings:
        assert "".join(finding.found.split()) in told
        assert "".join(finding.to_do.split()) in told
