"""The whole pipeline on the embedded data and models: what must show after `make demo`."""

import io
import os
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest
from sklearn.metrics import f1_score

from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.settings import PROJECT, Settings
from tests.shell import eve

MODELS = {"demo-llava-small", "demo-llava-base"}
MARTS = ("weighted_f1", "affect_f1", "per_class_f1", "confusion", "sentiment_bias", "error_categories", "coverage")
OASIS = Path(os.environ.get("EVE_TEST_OASIS", PROJECT.parent / "shared" / "data" / "oasis"))


def query(home: Path, sql: str) -> pl.DataFrame:
    with duckdb.connect((home / "eve.duckdb").resolve(), read_only=True) as connection:
        return connection.sql(sql).pl()


def test_both_models_and_all_nine_prompts_are_scored(demo_home: Path):
    columns = "model, dataset, subset, prompt, scoring, n_items, n, n_answered, coverage, weighted_f1, macro_f1, accuracy"
    done = eve("sql", "--format", "csv", f"select {columns} from marts.weighted_f1", home=demo_home)
    rows = pl.read_csv(io.StringIO(done.stdout))
    prompts = {key for key, prompt in prompt_variants(Settings(home=demo_home)).items() if not prompt.is_family}
    assert len(prompts) == 9
    found = rows.select("model", "subset", "prompt", "scoring").unique()
    assert found.height == rows.height == len(MODELS) * len(prompts) * 2 * 2
    assert set(rows["model"]) == MODELS
    assert set(rows["prompt"]) == prompts
    assert set(rows["subset"]) == {"sample", "sample-hard"}


@pytest.mark.parametrize("mart", MARTS)
def test_every_mart_has_rows(demo_home: Path, mart: str):
    assert query(demo_home, f"select count(*) from marts.{mart}").item() > 0


def test_the_demo_leaves_something_to_show(demo_home: Path):
    f1 = query(demo_home, "select weighted_f1 from marts.weighted_f1 where subset = 'sample' and prompt = 'simple' and scoring = 'strict'")
    assert f1["weighted_f1"].is_between(0.5, 0.9).all()
    read = query(demo_home, "select (n_ok + n_out_of_vocabulary) / n_items as share from marts.coverage")
    assert (read["share"] >= 0.95).all()
    hard = query(demo_home, "select count(*) from raw.benchmark_items where subset = 'sample-hard'").item()
    assert 50 <= hard <= 160
    categories = query(demo_home, "select category, sum(n) as n from marts.error_categories where scheme = 'circumplex' group by 1")
    assert dict(categories.iter_rows())["III"] > 0


def test_the_numbers_are_scikit_learns(demo_home: Path):
    answers = query(
        demo_home,
        """
        select a.model, a.subset, a.prompt, i.label as truth, coalesce(a.label, '__none__') as predicted, a.status
        from staging.stg_answers a join raw.images i using (dataset, image_id)
        where i.label is not null
        """,
    )
    scores = query(demo_home, "select model, subset, prompt, scoring, weighted_f1, macro_f1 from marts.weighted_f1")
    for model, subset, prompt, scoring, weighted, macro in scores.iter_rows():
        kept = answers.filter(model=model, subset=subset, prompt=prompt)
        kept = (
            kept.filter(pl.col("status") == "ok") if scoring == "answered" else kept.filter(~pl.col("status").is_in(["error", "missing"]))
        )
        labels = sorted(set(kept["truth"]))
        for average, found in (("weighted", weighted), ("macro", macro)):
            expected = f1_score(kept["truth"], kept["predicted"], labels=labels, average=average, zero_division=0)
            assert found == pytest.approx(expected, abs=1e-9)


def test_the_leaderboard_and_paths_are_printed(demo_home: Path):
    printed = (demo_home / "demo.txt").read_text()
    for told in (*MODELS, "sample-hard", str(demo_home / "eve.duckdb"), str(demo_home / "dagster")):
        assert told in printed


def test_dagster_shows_what_was_done(demo_home: Path):
    with open_instance(Settings(home=demo_home)) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("images")) == {"sample"}
        assert len(instance.get_materialized_partitions(dg.AssetKey("answers"))) == 2 * 18
        assert {run.job_name for run in instance.get_runs()} == {"prepare", "evaluate", "publish"}
        assert all(run.is_success for run in instance.get_runs())
        event = instance.get_latest_materialization_event(dg.AssetKey("images"))
        assert event is not None
        assert "data:image/jpeg;base64," in str(event.asset_materialization.metadata["pictures"].value)
        marts = instance.get_latest_materialization_event(dg.AssetKey("weighted_f1"))
        assert marts is not None
        assert "demo-llava-base" in str(marts.asset_materialization.metadata["F1 by cell"].value)
        for asset, check in (("images", "label_in_list"), ("answers", "parse_rate")):
            key = dg.AssetCheckKey(dg.AssetKey(asset), check)
            assert key in instance.event_log_storage.get_latest_asset_check_execution_by_key([key])


def test_a_second_demo_asks_no_model_anything(demo_home: Path):
    parts = sorted((demo_home / "warehouse" / "responses").rglob("*.parquet"))
    done = eve("demo", home=demo_home)
    assert done.returncode == 0, done.stderr
    assert sorted((demo_home / "warehouse" / "responses").rglob("*.parquet")) == parts
    assert done.stdout == (demo_home / "demo.txt").read_text()


@pytest.mark.skipif(not OASIS.exists(), reason=f"the OASIS photographs are not at {OASIS}; EVE_TEST_OASIS names another place")
def test_real_photographs_with_ratings_only(demo_home: Path):
    assert eve("datasets", "add", "oasis", "--reader", "manifest", "--path", str(OASIS / "ratings.csv"), home=demo_home).returncode == 0
    done = eve("run", "--dataset", "oasis", "--model", "demo-llava-base", "--prompt", "simple", home=demo_home)
    assert done.returncode == 0, done.stderr
    bias = query(demo_home, "select n + n_undetermined from marts.sentiment_bias where dataset = 'oasis' and scheme = 'circumplex'")
    assert bias.item() > 450
    f1 = query(demo_home, "select distinct dimension from marts.affect_f1 where dataset = 'oasis' and weighted_f1 is not null")
    assert set(f1["dimension"]) == {"sentiment", "arousal"}
    assert query(demo_home, "select count(*) from marts.weighted_f1 where dataset = 'oasis'").item() == 0
