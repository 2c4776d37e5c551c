"""Old revisions of cells, and cells of models and prompts that are gone: which there are, what they cost, and how they go.

Replies were paid for. Those that a cell of today could use are never among them: by its entry's name, revision and settings a model asks
today with certain config digests, in whatever cell and under whatever key, and replies to these stay. Imported replies stay too, and those
that cost something this month: what may be spent in a month is told by them.
"""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.responses.cells import Cell, subset_datasets, tasks
from eve_pipeline.responses.locks import hold
from eve_pipeline.responses.planning import cell_configs
from eve_pipeline.responses.reevaluation import month_began
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import model_entries
from eve_pipeline.warehouse.compaction import drop_responses
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_index import read_parts
from eve_pipeline.warehouse.response_parts import holding_folders, visible_parts
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

    `revisions` has REVISION, model_id, dataset, last_reply_at, n_requests, n_replies, usd, usd_this_month, is_imported and config_digests.
    """

    revisions: pl.DataFrame
    kept: list[str]


def find_revisions(rule: Rule, settings: Settings) -> Found:
    """Return what a rule lets go.

    Raises:
        EveError: a table cannot be read, or an entry, so that nobody knows whether it is gone.
    """
    if rule == Rule():
        return Found(pl.DataFrame(schema=[*REVISION, "model_id", "config_digests"]), [])
    revisions, gone = _revisions(Warehouse.of(settings)), _is_gone(settings)
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
    going = candidates.filter(~is_used & ~is_unresolved)
    is_counted = pl.col("usd_this_month") > 0
    if n_counted := going.filter(is_counted).height:
        kept.append(f"{n_counted} revisions stay until next month: their replies count in what was spent in this one")
    return Found(going.filter(~is_counted).sort(*CELL, "last_reply_at"), kept)


def usable_digests(candidates: pl.DataFrame, settings: Settings) -> tuple[set[str], dict[str, str]]:
    """Return the config digests with which models of the candidates' names ask today, and why those of some names are not known."""
    digests, unresolved = set[str](), dict[str, str]()
    names = set(candidates["model_id"])
    for entry in model_entries(settings).complete().values():
        if entry.id not in names:
            continue
        try:
            for task in _tasks(settings):
                digests |= set(cell_configs(Cell.of(entry.key, task), entry, settings)["config_digest"])
        except EveError as error:
            unresolved[entry.id] = error.problem
    return digests, unresolved


def remove_revisions(revisions: pl.DataFrame, settings: Settings) -> tuple[int, list[str]]:
    """Remove revisions that were found; return how many replies went, and why others stay: a cell is being asked, a model is out of reach.

    Replies go first: whoever is killed on the way finds the rest when it is run again.

    Raises:
        EveError: another process compacts, or a table cannot be read or written.
    """
    if revisions.is_empty():
        return 0, []
    warehouse = Warehouse.of(settings)
    usable, unresolved = usable_digests(revisions, settings)
    held, n_replies = [f"Revisions of {name}: {why}" for name, why in unresolved.items()], 0
    going = revisions.filter(~pl.col("model_id").is_in(unresolved.keys()))
    folders = _folders(going, warehouse)
    n_users = Counter([*read_table("configs", warehouse.files("configs"))["config_digest"], *usable])  # cells, and today's models
    for cell, rows in going.group_by(*CELL, maintain_order=True):
        try:
            with hold(Cell(*map(str, cell)), rows["dataset"][0], warehouse):
                n_replies += _remove_from(Cell(*map(str, cell)), rows, n_users, folders, warehouse)
        except EveError as error:
            if "is being asked by" not in error.problem:
                raise
            held.append(error.problem)
    return n_replies, held


def _folders(revisions: pl.DataFrame, warehouse: Warehouse) -> pl.DataFrame:
    """Return which folders hold replies of the revisions: request_key, folder."""
    cells = revisions.select("model", task=pl.concat_str("subset", pl.lit("."), "prompt")).unique()
    requests = read_table("requests", [warehouse.file("requests", *cell) for cell in cells.iter_rows()])
    digests = revisions["config_digests"].explode().unique()
    return holding_folders(requests.filter(pl.col("config_digest").is_in(digests.implode()))["request_key"], warehouse)


def _remove_from(cell: Cell, rows: pl.DataFrame, n_users: Counter[str], folders: pl.DataFrame, warehouse: Warehouse) -> int:
    """Remove revisions of one cell, which the caller holds, and their replies but for those that somebody else uses."""
    digests = rows["config_digests"].explode().unique()
    files = {table: warehouse.file(table, cell.model, cell.task) for table in ("requests", "configs", "answers")}
    tables = {table: read_table(table, [file]) for table, file in files.items()}
    if not rows["is_current"].any():  # one may have become current again since it was found
        digests = digests.filter(~digests.is_in(tables["configs"].filter("is_current")["config_digest"].implode()))
    goes = pl.col("config_digest").is_in(digests.implode())
    shared = pl.col("config_digest").is_in([digest for digest in digests if n_users[digest] > 1])
    keys = tables["requests"].filter(goes, ~shared)["request_key"]
    holding = folders.filter(pl.col("request_key").is_in(keys.implode()))["folder"].unique()
    n_dropped = drop_responses(keys, warehouse, [Path(folder) for folder in holding])
    for table, file in files.items():  # answers last: they must not be older than the requests
        left = tables[table].filter(~goes)
        if left.is_empty():
            file.unlink(missing_ok=True)
        else:
            write_table(left, table, file)
    n_users.subtract(set(digests))
    return n_dropped


def _tasks(settings: Settings) -> list[str]:
    """Return all tasks; `EveError` where some are not known, since an entry cannot be read."""
    subset_datasets(settings).complete()
    prompt_variants(settings).complete()
    return tasks(settings)


def _is_gone(settings: Settings) -> pl.Expr:
    models, known = list(model_entries(settings).complete()), _tasks(settings)
    return ~pl.col("model").is_in(models) | ~pl.concat_str("subset", pl.lit("."), "prompt").is_in(known)


def _revisions(warehouse: Warehouse) -> pl.DataFrame:
    """Return every revision of every cell with what was asked and what came back."""
    configs = read_table("configs", warehouse.files("configs")).with_columns(
        settings=pl.col("parameters").map_elements(_settings, pl.String)
    )
    requests = read_table("requests", warehouse.files("requests"))
    replies = read_parts(
        list(visible_parts(warehouse)),
        lambda rows: rows.group_by("request_key").agg(
            last_reply_at=pl.col("created_at").max(),
            n_replies=pl.len(),
            usd=pl.col("cost_usd").sum(),
            usd_this_month=pl.col("cost_usd").filter(pl.col("created_at") >= month_began()).sum(),
        ),
    )
    asked = (
        requests.join(replies, on="request_key", how="left")
        .group_by("config_digest", *CELL)
        .agg(
            pl.col("dataset").first(),
            pl.len().alias("n_requests"),
            pl.col("n_replies").sum(),
            pl.col("usd", "usd_this_month").sum(),
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
            pl.col("n_requests", "n_replies", "usd", "usd_this_month").sum(),
            pl.col("is_imported").any(),
            config_digests=pl.col("config_digest"),
        )
    )


def _settings(canonical: str) -> str:
    """Return what a config's canonical JSON says besides the prompt and the labels in a JSON schema, as mart revision_comparison does."""
    settings = {name: value for name, value in json.loads(canonical).items() if name != "prompt"}
    if isinstance(settings.get("response_format"), dict):
        settings["response_format"] = "json_schema"
    return json.dumps(settings)
