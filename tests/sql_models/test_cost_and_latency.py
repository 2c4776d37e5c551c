"""Every number of marts.cost_and_latency, recomputed from the same rows by polars and numpy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eve_pipeline.explorer.views import costs
from eve_pipeline.report.sections import sections
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.query import named_query, run_query

CELL = ["model", "dataset", "subset", "prompt"]


@pytest.fixture(scope="module")
def expected(images: pl.DataFrame, current_answers: pl.DataFrame, requests: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    truths = images.select("dataset", "image_id", truth="label")
    answered = current_answers.filter(status="ok").join(truths, on=["dataset", "image_id"], how="left")
    rows = []
    for cell, of_cell in requests.group_by(CELL):
        asked = dict(zip(CELL, cell, strict=True))
        stored = responses.filter(pl.col("request_key").is_in(of_cell["request_key"].to_list()))
        latencies = stored.filter(pl.col("delivery") != "error")["latency_ms"].drop_nulls().to_numpy()
        answers = answered.filter(**asked)
        is_priced = asked["model"] not in {"two", "broken"}
        cost = stored["cost_usd"].sum() if is_priced else None
        n_correct = answers.filter(pl.col("label") == pl.col("truth")).height
        is_measured = asked["model"] != "broken"
        rows.append(
            asked
            | {
                "n_requests": of_cell.height,
                "n_responses": stored.height,
                "n_errors": stored.filter(delivery="error").height,
                "n_retries": stored["attempts"].sum() - stored.height,
                "n_correct": n_correct,
                "prompt_tokens": stored["prompt_tokens"].sum() if is_measured else None,
                "completion_tokens": stored["completion_tokens"].sum() if is_measured else None,
                "cost_usd": cost,
                "usd_per_answer": cost / answers.height if is_priced else None,
                "usd_per_correct": cost / n_correct if is_priced and n_correct else None,
                **{f"latency_p{p}_ms": np.percentile(latencies, p) if is_measured else None for p in (50, 90, 99)},
                "first_at": stored["created_at"].min(),
                "last_at": stored["created_at"].max(),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def test_cost_and_latency(mart: Callable[[str], pl.DataFrame], expected: pl.DataFrame) -> None:
    actual = mart("cost_and_latency").with_columns(pl.col("first_at", "last_at").dt.convert_time_zone("UTC"))
    assert actual.columns == expected.columns
    assert_frame_equal(actual.sort(CELL), expected.sort(CELL), check_dtypes=False, rel_tol=1e-9, abs_tol=1e-12)
    assert {name for name, n in actual.group_by("model").agg(pl.col("cost_usd").is_null().sum()).iter_rows() if n} == {"two", "broken"}


def test_a_right_answer_of_several_prompts_costs_their_cost_by_their_right_answers(database: Path, expected: pl.DataFrame) -> None:
    """Also where one of the prompts has none, or few of them."""
    of_report = next(section.sql for section in sections() if section.title == "Costs and latency")
    for found in (run_query(database, of_report).filter(subset="labelled"), run_query(database, costs.MODELS, {"subset": "labelled"})):
        for model in ("one", "perfect"):
            cells = expected.filter(model=model, subset="labelled")
            wanted = cells["cost_usd"].sum() / cells["n_correct"].sum()
            assert found.filter(model=model)["usd_per_correct"].item() == pytest.approx(wanted)
        assert found.filter(model="two")["usd_per_correct"].to_list() == [None]


def test_costs_per_correct_answer_are_of_one_prompt_and_the_cheapest_comes_first(database: Path, expected: pl.DataFrame) -> None:
    query = named_query("cost_per_correct_answer", Settings())
    found = run_query(database, query.sql, query.parameters).filter(subset="labelled")
    wanted = expected.filter(subset="labelled", prompt="simple").sort("usd_per_correct", "model", nulls_last=True)
    assert found["model"].to_list() == wanted["model"].to_list()
    for name in ("cost_usd", "usd_per_correct"):
        assert found[name].drop_nulls().to_list() == pytest.approx(wanted[name].drop_nulls().to_list(), rel=1e-9)


def test_the_most_expensive_cells_come_first_and_the_unpriced_ones_by_their_time(database: Path, expected: pl.DataFrame) -> None:
    query = named_query("most_expensive_cells", Settings())
    found = run_query(database, query.sql, query.parameters | {"limit": 100})
    wanted = expected.with_columns(time=pl.col("latency_p50_ms") * pl.col("n_requests")).sort(
        ["cost_usd", "time", "model", "subset", "prompt"], descending=[True, True, False, False, False], nulls_last=True
    )
    assert found.select("model", "subset", "prompt").rows() == wanted.select("model", "subset", "prompt").rows()
