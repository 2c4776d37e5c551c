from collections.abc import Callable
from pathlib import Path

from eve_pipeline.doctor import diagnose
from eve_pipeline.settings import Settings


def test_a_fresh_home_is_well(settings: Settings):
    findings = diagnose(settings)
    assert all(finding.is_ok for finding in findings)
    assert next(finding for finding in findings if finding.what == "eve.duckdb").to_do == "Run eve demo, eve run or eve publish."


def test_a_missing_checkpoint_is_found(settings: Settings, add_model: Callable[..., None], tmp_path: Path):
    add_model("mine", backend="transformers", id="mine", path=str(tmp_path))
    [finding] = [finding for finding in diagnose(settings) if not finding.is_ok]
    assert finding.what == "model mine"
    assert "path" in finding.to_do


def test_a_broken_link_is_found(settings: Settings):
    settings.home.mkdir()
    (settings.home / "eve.duckdb").symlink_to("published/gone/eve.duckdb")
    assert [finding.what for finding in diagnose(settings) if not finding.is_ok] == ["eve.duckdb"]
