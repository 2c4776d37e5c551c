"""Draw what people are to judge: errors of models, stratified, and control items whose right answer is known.

An error is one question, however many models made it: the same two labels for an image are judged once, and the judgement counts for each
of the models. It is drawn to represent one of them, which a hash chooses; the strata are error category x dataset x that model.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from eve_pipeline.emotions.affect import DEFAULT_SCHEME
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.selection import Selection, draw
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.query import run_query

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Wanted:
    """What a study shall hold: `n` errors, and control items for `controls` times as many; empty selections mean all."""

    n: int = 500
    controls: float = 0.1
    seed: int = 0
    prompt: str = "simple"
    models: Sequence[str] = ()
    datasets: Sequence[str] = ()
    subsets: Sequence[str] = ()

    @property
    def n_controls(self) -> int:
        """Number of control items."""
        return round(self.n * self.controls)


class Drawn(NamedTuple):
    """A drawn study: its questions as rows of `annotation_tasks`, and how many errors and control items there were to draw from."""

    tasks: pl.DataFrame
    n_errors: int
    n_agreed: int


def draw_tasks(study: str, wanted: Wanted, database: Path) -> Drawn:
    """Return the questions of a study, drawn from the published answers.

    Equal arguments and answers draw equal questions. Too few errors or control items: all are taken. The order in which annotators see
    them, and each question's labels, is not reproducible: it depends on a secret drawn here.

    Raises:
        EveError: nothing is published, or no answer is wrong.
    """
    selection: dict[str, object] = {"prompt": wanted.prompt, "scheme": DEFAULT_SCHEME}
    selection |= {name: list(getattr(wanted, name)) or None for name in ("models", "datasets", "subsets")}
    errors, agreed = (run_query(database, (HERE / f"{name}.sql").read_text("utf-8"), selection) for name in ("errors", "agreed"))
    if errors.is_empty():
        raise EveError(f"No published answer to {wanted.prompt!r} is wrong there", "Ask models first (`eve run`), or select others.")
    of_errors, errors = _drawn(_strata(errors, wanted.seed), wanted.n, wanted.seed)
    _, controls = _drawn(_controls(agreed, wanted.seed), wanted.n_controls, wanted.seed)
    tasks = pl.concat([errors, controls], how="diagonal_relaxed").with_columns(
        study=pl.lit(study),
        subsets=pl.lit(list(wanted.subsets) or None, pl.List(pl.String)),
        order_key=pl.lit(secrets.token_hex(16)),
        seed=pl.lit(of_errors.seed, pl.Int64),
        created_at=pl.lit(datetime.now(UTC)),
    )
    return Drawn(contracts()["annotation_tasks"].conform(tasks), sum(of_errors.n_hard_by_label.values()), agreed.height)


def _strata(errors: pl.DataFrame, seed: int) -> pl.DataFrame:
    named = _named(errors.with_columns(is_control=pl.lit(value=False)))
    representing = [models[_number(seed, task) % len(models)] for task, models in named.select("task", "models").iter_rows()]
    return named.with_columns(stratum=pl.format("{} {} {}", "error_category", "dataset", pl.Series("model", representing, pl.String)))


def _controls(agreed: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return control items: the second label has the other sentiment where the dataset has one such, so that no viewer can mean it."""
    rows = agreed.select("dataset", "image_id", "wrong", "opposite").iter_rows()
    chosen = [(opposite or wrong)[_number(seed, dataset, image_id) % len(opposite or wrong)] for dataset, image_id, wrong, opposite in rows]
    return _named(
        agreed.drop("wrong", "opposite").with_columns(
            answer=pl.Series(chosen, dtype=pl.String),
            models=pl.lit([], pl.List(pl.String)),
            config_digests=pl.lit([], pl.List(pl.String)),
            error_category=pl.lit(None, pl.String),
            is_control=pl.lit(value=True),
            stratum=pl.format("control {} {}", "dataset", "truth"),
        )
    )


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the question's name; both labels go into it alike, so that it does not tell them apart."""
    keys = rows.select("dataset", "image_id", "prompt", "truth", "answer").iter_rows()
    names = [_digest(dataset, image_id, prompt, *sorted(labels)).hex()[:16] for dataset, image_id, prompt, *labels in keys]
    return rows.with_columns(task=pl.Series(names, dtype=pl.String))


def _drawn(rows: pl.DataFrame, n: int, seed: int) -> tuple[Selection, pl.DataFrame]:
    selection = draw(rows.select(image_id="task", label="stratum"), n, seed=seed)
    return selection, rows.filter(pl.col("task").is_in(selection.image_ids)).sort("task")


def _number(*parts: object) -> int:
    return int.from_bytes(_digest(*parts)[:8])


def _digest(*parts: object) -> bytes:
    return hashlib.sha256("\x00".join(map(str, parts)).encode()).digest()
