"""What a cell asks for, and what of that is missing."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.emotions.label_sets import resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.prompts.json_schema import answer_json_schema
from eve_pipeline.prompts.rendering import asked_labels, render
from eve_pipeline.prompts.variants import prompt_variant
from eve_pipeline.registry import pick
from eve_pipeline.responses.cells import Cell, subset_datasets
from eve_pipeline.responses.extent import WHOLE, Extent
from eve_pipeline.responses.keys import KEY_VERSION, canonical_parameters, config_digest, with_request_keys
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import ModelEntry, model_entry
from eve_pipeline.vlms.revisions import model_revision
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import unanswered
from eve_pipeline.warehouse.tables import read_table


class Plan(NamedTuple):
    """A cell's tables `configs` and `requests` as they will be, and which of the requests are to be asked now."""

    cell: Cell
    configs: pl.DataFrame
    requests: pl.DataFrame
    wanted: pl.DataFrame
    missing: pl.DataFrame

    @property
    def current(self) -> pl.DataFrame:
        """The requests that are asked as the cell asks now, not as an earlier revision did."""
        return self.requests.join(self.configs.filter("is_current"), on="config_digest", how="semi")


class Question(NamedTuple):
    """A cell's current configs, all requests that they could make of its items, and those wanted now, without their keys."""

    cell: Cell
    configs: pl.DataFrame
    possible: pl.DataFrame
    wanted: pl.DataFrame


def plan_cell(cell: Cell, settings: Settings, extent: Extent = WHOLE) -> Plan:
    """Return what the cell asks for now.

    Requests of earlier runs stay, as far as their images are still in the subset.

    Raises:
        EveError: the subset is not materialized, the model's revision cannot be resolved, or a greedy model is to repeat.
    """
    return plan_cells([cell], settings, extent)[0]


def plan_cells(cells: Sequence[Cell], settings: Settings, extent: Extent = WHOLE) -> list[Plan]:
    """Return the plan of each cell, as `plan_cell` does; those of one subset read it once, and their keys are hashed together."""
    plans = {}
    for subset in dict.fromkeys(cell.subset for cell in cells):
        items = subset_items(subset, Warehouse.of(settings))
        questions = [_question(cell, items, settings, extent) for cell in cells if cell.subset == subset]
        keyed = with_request_keys(pl.concat([question.wanted for question in questions]))
        start = 0
        for question in questions:
            wanted = keyed.slice(start, question.wanted.height)
            plans[question.cell] = _plan(question, wanted, Warehouse.of(settings))
            start += wanted.height
    return [plans[cell] for cell in cells]


def _question(cell: Cell, items: pl.DataFrame, settings: Settings, extent: Extent) -> Question:
    entry, (repeats, limit) = model_entry(cell.model, settings), extent
    if repeats > 1 and entry.is_greedy:
        raise EveError(
            f"Model {entry.key!r} decodes greedily: asking {repeats} times gives one answer {repeats} times",
            "Set its parameters.temperature above 0 in a models.yaml entry of another key, or leave out --repeats.",
        )
    earlier = read_table("configs", [Warehouse.of(settings).file("configs", cell.model, cell.task)])
    asked_before = earlier.filter(pl.col("is_current") & (pl.col("model_id") == entry.id))["model_revision"].to_list()
    configs = cell_configs(cell, entry, settings, next(iter(asked_before), None))
    widest = extent.widened(Extent.of(earlier.join(configs, on="config_digest", how="semi")))
    configs = configs.with_columns(n_repeats=pl.lit(widest.repeats, pl.Int64), image_limit=pl.lit(widest.limit, pl.Int64))
    if prompt_variant(cell.prompt, settings).labels:  # without a label or with another one, no answer could be right
        items = items.filter(pl.col("label").is_in(configs["labels"][0].to_list()))
    possible = configs.select("config_digest", "model", "subset", "prompt").join(items.drop("label"), how="cross")
    chosen = possible.filter(pl.col("image_sha256").rank("dense").over("config_digest") <= limit) if limit else possible
    repetitions = pl.DataFrame({"repeat": range(repeats)}, schema={"repeat": pl.Int64})
    return Question(cell, configs, possible, chosen.join(repetitions, how="cross").with_columns(origin=pl.lit("asked")))


def _plan(question: Question, wanted: pl.DataFrame, warehouse: Warehouse) -> Plan:
    cell, configs, possible, _ = question
    return Plan(
        cell=cell,
        configs=_with_earlier_configs(configs, cell, warehouse),
        requests=_with_earlier_requests(wanted, possible, configs, cell, warehouse),
        wanted=wanted,
        missing=unanswered(wanted, warehouse, [(cell.model, cell.task)]),
    )


def cell_configs(cell: Cell, entry: ModelEntry, settings: Settings, asked_before: str | None = None) -> pl.DataFrame:
    """Return the cell's current rows of `configs`, one for each text that its prompt asks.

    `asked_before` is the model revision that is taken for today's where the hub cannot be reached and the cache has it.

    Raises:
        EveError: the prompt asks about labels that the dataset lacks, or the model's revision cannot be resolved.
    """
    prompt = prompt_variant(cell.prompt, settings)
    labels = asked_labels(prompt, resolve_labels(pick(subset_datasets(settings), cell.subset, "subset").labels, settings))
    if labels is None:
        raise EveError(f"{cell}: the dataset lacks some of the labels {', '.join(prompt.labels or ())}", "Ask another prompt.")
    revision = model_revision(entry, asked_before)
    rows = []
    for rendered in render(prompt, labels, sentiments(settings)):
        canonical = canonical_parameters(entry, revision, rendered, answer_json_schema(prompt, rendered))
        rows.append(
            cell._asdict()
            | {
                "config_digest": config_digest(canonical),
                "key_version": KEY_VERSION,
                "model_id": entry.id,
                "model_revision": revision,
                "prompt_revision": prompt.revision,
                "answer_key": prompt.answer_key,
                "explanation_key": prompt.explanation_key,
                "confidence_key": prompt.confidence_key,
                "is_open": prompt.is_open,
                "persona": prompt.persona,
                "label_order": rendered.label_order,
                "labels": labels,
                "rendered_prompt": rendered.text,
                "parameters": canonical,
                "is_current": True,
            }
        )
    return pl.DataFrame(rows, schema=contracts()["configs"].polars_schema)


def subset_items(subset: str, warehouse: Warehouse) -> pl.DataFrame:
    """Return the images of a subset: dataset, image_id, image_sha256, label.

    Raises:
        EveError: the subset is not materialized.
    """
    file = warehouse.file("benchmark_items", subset)
    if not file.exists():
        raise EveError(f"Subset {subset!r} is not materialized", "Materialize its dataset first: eve run or the Dagster UI does it.")
    items = read_table("benchmark_items", [file])
    images = read_table("images", [warehouse.file("images", dataset) for dataset in items["dataset"].unique()])
    return items.join(images, on=["dataset", "image_id"]).select("dataset", "image_id", pl.col("sha256").alias("image_sha256"), "label")


def _with_earlier_configs(configs: pl.DataFrame, cell: Cell, warehouse: Warehouse) -> pl.DataFrame:
    earlier = read_table("configs", [warehouse.file("configs", cell.model, cell.task)])
    replaced = earlier.join(configs, on="config_digest", how="anti").with_columns(is_current=pl.lit(value=False))
    return pl.concat([configs, replaced])


def _with_earlier_requests(
    wanted: pl.DataFrame, possible: pl.DataFrame, configs: pl.DataFrame, cell: Cell, warehouse: Warehouse
) -> pl.DataFrame:
    earlier = read_table("requests", [warehouse.file("requests", cell.model, cell.task)])
    of_other_configs = earlier.join(configs, on="config_digest", how="anti")
    still_possible = earlier.join(possible, on=["config_digest", "dataset", "image_id", "image_sha256"], how="semi")
    names = contracts()["requests"].polars_schema.names()
    together = pl.concat([wanted.select(names), of_other_configs, still_possible])
    return together.unique(contracts()["requests"].key, keep="first", maintain_order=True)
