"""How far a table may move from its previous materialization."""

from math import ceil, floor
from typing import Final

import polars as pl
from pydantic import BaseModel, ConfigDict

from eve_pipeline.quality.checking import Check, Rule, Rules, checks

MAX_CHANGE_OF_ROWS = 0.1
MAX_SHIFT_NATS = 0.05
MAX_FALL_OF_PARSE_RATE = 0.05
MAX_LATENCY_RATIO = 2.0
LOOK = "If you meant it, there is nothing to do: the next materialization is compared with this one."

N_ROWS = Rule(f"within {MAX_CHANGE_OF_ROWS:.0%} of the previous materialization's number of rows", LOOK, "warning")
SHARES = Rule(f"the labels' shares are within {MAX_SHIFT_NATS} nats of the previous materialization's", LOOK, "warning")
PARSE_RATE = Rule(f"at most {MAX_FALL_OF_PARSE_RATE} below the previous materialization's share of ok answers", LOOK, "warning")
LATENCY = Rule(
    f"median latency at most {MAX_LATENCY_RATIO:g} times the previous materialization's, or the other way round", LOOK, "warning"
)
DRIFT_CHECKS: Final[dict[str, Rules]] = {
    "images": {"n_images_drift": N_ROWS, "label_shares_drift": SHARES},
    "benchmark_items": {"n_items_drift": N_ROWS, "item_label_shares_drift": SHARES},
    "responses": {"n_responses_drift": N_ROWS, "latency_drift": LATENCY},
    "answers": {"n_answers_drift": N_ROWS, "ok_rate_drift": PARSE_RATE, "answer_shares_drift": SHARES},
}
"""The rules about each table by name."""


class Figures(BaseModel):
    """What is remembered of a materialization: rows, the share of each label, the share of status ok, the median latency."""

    model_config = ConfigDict(frozen=True)

    n_rows: int
    shares: dict[str, float] = {}
    ok_rate: float | None = None
    median_latency_ms: float | None = None


def measure(frame: pl.DataFrame) -> Figures:
    """Return the figures of a table's rows; those whose column is not there or is empty are left out."""
    counts = frame.get_column("label", default=pl.Series("label", [], pl.String)).drop_nulls().value_counts(sort=True, normalize=True)
    ok_rate = (frame["status"] == "ok").mean() if "status" in frame.columns else None
    latency = frame["latency_ms"].median() if "latency_ms" in frame.columns else None
    figures = {"shares": dict(counts.sort("label").iter_rows()), "ok_rate": ok_rate, "median_latency_ms": latency}
    return Figures.model_validate({"n_rows": frame.height} | figures)


def drift_suite(table: str, before: Figures | None) -> list[Check]:
    """Return the checks of a table's rows against the figures of its previous materialization; without one, all pass."""
    import great_expectations.expectations as gx

    rules = DRIFT_CHECKS[table]
    if before is None or before.n_rows == 0:
        return checks(dict.fromkeys(rules), rules)
    change, ratio = MAX_CHANGE_OF_ROWS * before.n_rows, MAX_LATENCY_RATIO
    shares = {"values": list(before.shares), "weights": list(before.shares.values())}
    expectations = {
        N_ROWS: gx.ExpectTableRowCountToBeBetween(min_value=ceil(before.n_rows - change), max_value=floor(before.n_rows + change)),
        SHARES: gx.ExpectColumnKLDivergenceToBeLessThan(
            column="label", partition_object=shares, threshold=MAX_SHIFT_NATS, tail_weight_holdout=0.001
        )
        if before.shares
        else None,
        PARSE_RATE: gx.ExpectColumnValuesToBeInSet(
            column="status", value_set=["ok"], mostly=max(0.0, (before.ok_rate or 0) - MAX_FALL_OF_PARSE_RATE)
        ),
        LATENCY: gx.ExpectColumnMedianToBeBetween(
            column="latency_ms", min_value=before.median_latency_ms / ratio, max_value=before.median_latency_ms * ratio
        )
        if before.median_latency_ms
        else None,
    }
    return checks({name: expectations[rule] for name, rule in rules.items()}, rules)
