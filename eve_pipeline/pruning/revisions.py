"""Old revisions of cells, and cells of models and prompts that are gone: which there are, what they cost, and how they go.

Replies were paid for. Those that a cell of today could use are never among them: by its entry's name, revision and settings a model asks
today with certain config digests, in whatever cell and under whatever key, and replies to these stay. Imported replies stay too.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.responses.cells import Cell, tasks
from eve_pipeline.responses.locks import hold
from eve_pipeline.responses.planning import cell_configs
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import model_entries
from eve_pipeline.warehouse.compaction import drop_responses
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import visible_parts
from eve_pipeline.warehouse.tables import read_table, write_table

CELL: Final = ("model", "subset", "prompt")
REVISION: Final = (*CELL, "model_revision", "prompt_revision", "settings", "labels", "is_current")


class Rule(NamedTuple):
    """Which go: beyond the `keep` newest old revisions of each cell, older than `older_than`, and cells that are gone; none by default."""

    keep: int | None = None
    older_than: timedelta | None = None
    is_removed: bool = False


class Found(NamedTuple):
    """Revisions that can go, one a row, and why others stay.

    `revisions` has CELL, dataset, model_revision, prompt_revision, last_reply_at, n_requests, n_replies, usd and config_digests.
    """

    revisions: pl.DataFrame
    kept: list[str]


def find_revisions(rule: Rule, settings: Settings) -> Found:
    """Return what a rule lets go.

    Raises:
        EveError: a table cannot be read.
    """
    warehouse = Warehouse.of(settings)
    revisions = _revisions(warehouse)
    gone = _is_gone(settings)
    old = revisions.filter(~pl.col("is_current") & ~gone, pl.lit(rule.keep is not None or rule.older_than is not None))
    newness = pl.col("last_reply_at").fill_null(datetime(1970, 1, 1, tzinfo=UTC)).rank("ordinal", descending=True).over(CELL)
    old = old.filter(newness > (rule.keep or 0))
    if rule.older_than is not None:
        old = old.filter((pl.col("last_reply_at") < datetime.now(UTC) - rule.older_than).fill_null(value=True))
    removed = revisions.filter(gone, pl.lit(rule.is_removed))
    candidates = pl.concat([old, removed]).filter(~pl.col("is_imported"))
    usable, unresolved = usable_digests(candidates, settings)
    is_unresolved = pl.col("model_id").is_in(unresolved.keys())
    kept = [f"Revisions of {name} stay: {why}" for name, why in unresolved.items()]
    is_used = pl.col("config_digests").list.eval(pl.element().is_in(sorted(usable))).list.any() & ~gone
    if n_used := candidates.filter(is_used).height:
        kept.append(f"{n_used} old revisions stay: models ask today as they did then")
    return Found(candidates.filter(~is_used & ~is_unresolved).sort(*CELL, "last_reply_at"), kept)


def usable_digests(candidates: pl.DataFrame, settings: Settings) -> tuple[set[str], dict[str, str]]:
    """Return the config digests with which models of the candidates' names ask today, and why those of some names are not known."""
    digests, unresolved = set[str](), dict[str, str]()
    names = set(candidates["model_id"])
    for entry in model_entries(settings).values():
        if entry.id not in names:
            continue
        try:
            for task in tasks(settings):
                digests |= set(cell_configs(Cell.of(entry.key, task), entry, settings)["config_digest"])
        except EveError as error:
            unresolved[entry.id] = error.problem
    return digests, unresolved


def remove_revisions(revisions: pl.DataFrame, settings: Settings) -> tuple[int, list[str]]:
    """Remove revisions that were found; return how many replies went, and which cells stay as others are asking them.

    Replies go first: whoever is killed on the way finds the rest when it is run again.

    Raises:
        EveError: another process compacts, or a table cannot be read or written.
    """
    n_replies, held = 0, []
    usable, _ = usable_digests(revisions, settings)
    for cell, rows in revisions.group_by(*CELL, maintain_order=True):
        try:
            n_replies += _remove_from(Cell(*map(str, cell)), rows, usable, Warehouse.of(settings))
        except EveError as error:
            if "is being asked by" not in error.problem:
                raise
            held.append(error.problem)
    return n_replies, held


def _remove_from(cell: Cell, rows: pl.DataFrame, usable: set[str], warehouse: Warehouse) -> int:
    digests = rows["config_digests"].explode().unique()
    with hold(cell, rows["dataset"][0], warehouse):
        files = {table: warehouse.file(table, cell.model, cell.task) for table in ("requests", "configs", "answers")}
        tables = {table: read_table(table, [file]) for table, file in files.items()}
        if not rows["is_current"].any():  # one may have become current again since it was found
            digests = digests.filter(~digests.is_in(tables["configs"].filter("is_current")["config_digest"].implode()))
        goes = pl.col("config_digest").is_in(digests.implode())
        elsewhere = read_table("configs", [file for file in warehouse.files("configs") if file != files["configs"]])["config_digest"]
        shared = pl.col("config_digest").is_in(elsewhere.implode()) | pl.col("config_digest").is_in(sorted(usable))
        n_dropped = drop_responses(tables["requests"].filter(goes, ~shared)["request_key"], warehouse)
        for table, file in files.items():  # answers last: they must not be older than the requests
            left = tables[table].filter(~goes)
            if left.is_empty():
                file.unlink(missing_ok=True)
            else:
                write_table(left, table, file)
    return n_dropped


def _is_gone(settings: Settings) -> pl.Expr:
    models, known = list(model_entries(settings)), tasks(settings)
    return ~pl.col("model").is_in(models) | ~pl.concat_str("subset", pl.lit("."), "prompt").is_in(known)


def _revisions(warehouse: Warehouse) -> pl.DataFrame:
    """Return every revision of every cell with what was asked and what came back."""
    configs = read_table("configs", warehouse.files("configs")).with_columns(
        settings=pl.col("parameters").map_elements(_settings, pl.String)
    )
    requests = read_table("requests", warehouse.files("requests"))
    replies = (
        read_table("responses", visible_parts(warehouse))
        .group_by("request_key")
        .agg(last_reply_at=pl.col("created_at").max(), n_replies=pl.len(), usd=pl.col("cost_usd").sum())
    )
    asked = (
        requests.join(replies, on="request_key", how="left")
        .group_by("config_digest", *CELL)
        .agg(
            pl.col("dataset").first(),
            pl.len().alias("n_requests"),
            pl.col("n_replies").sum(),
            pl.col("usd").sum(),
            pl.col("last_reply_at").max(),
            is_imported=(pl.col("origin") == "imported").any(),
        )
    )
    return (
        configs.join(asked, on=["config_digest", *CELL], how="left")
        .group_by(REVISION)
        .agg(
            pl.col("model_id").first(),
            pl.col("dataset").drop_nulls().first().fill_null(""),
            pl.col("last_reply_at").max(),
            pl.col("n_requests", "n_replies", "usd").sum(),
            pl.col("is_imported").any(),
            config_digests=pl.col("config_digest"),
        )
    )


def _settings(canonical: str) -> str:
    """Return what a config's canonical JSON says besides the prompt, as mart revision_comparison tells revisions apart."""
    return json.dumps({name: value for name, value in json.loads(canonical).items() if name not in {"prompt", "response_format"}})
