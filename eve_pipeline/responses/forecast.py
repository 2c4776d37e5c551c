"""What a run will ask, cost and take, before it starts: token rules, set right by what is stored of the same model.

Every quantity of a request (prompt tokens, completion tokens, latency) is its estimate times a ratio: stored over estimated, of the
replies that the model gave to the same prompt, else to its other prompts; without any, tokens are as estimated and latency is unknown.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from eve_pipeline.responses.planning import Plan
from eve_pipeline.responses.tokens import completion_tokens, image_tokens, text_tokens, usd
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import ModelEntry, model_entries
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.raw_schema import damaged_files
from eve_pipeline.warehouse.response_parts import visible_parts
from eve_pipeline.warehouse.tables import linking, read_table

STORED, SCALED, ESTIMATED = "stored", "scaled", "estimated"
MS_A_MINUTE = 60_000
MOST_PARTS = 1_000
MEASURES = ("prompt_tokens", "completion_tokens", "latency_ms")
SIZE = ["dataset", "image_id", "width", "height"]
ASKED_ALIKE = 'json_merge_patch(parameters, \'{"prompt": null, "response_format": null, "model": {"revision": null}}\')'


def expected_usd(entry: ModelEntry, prompt: str, width: int, height: int) -> float | None:
    """Return what one request about an image of this size in pixels is expected to cost in USD; None where the entry has no prices."""
    return usd(entry, text_tokens(prompt) + image_tokens(entry, width, height), completion_tokens(entry, prompt))


class Totals(NamedTuple):
    """What some requests come to; None where nothing is known."""

    n_requests: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    minutes: float | None


def forecast(plans: Sequence[Plan], settings: Settings) -> pl.DataFrame:
    """Return one row a missing request of each plan.

    Columns: cell, model, request_key, prompt_tokens, completion_tokens, latency_ms (NULL where nothing is stored) and basis: stored
    (replies of this model to this prompt), scaled (to its other prompts) or estimated.
    """
    warehouse, entries = Warehouse.of(settings), model_entries(settings)
    sizes = _image_sizes(plans, warehouse)
    frames = [pl.DataFrame(schema=_schema())]
    stored: dict[str, pl.DataFrame] = {}
    for plan in (plan for plan in plans if plan.missing.height):
        entry = entries[plan.cell.model]
        if entry.key not in stored:
            stored[entry.key] = _stored(entry, plan.configs, warehouse)
        missing = plan.missing.join(plan.configs.select("config_digest", "rendered_prompt"), on="config_digest", how="left")
        estimated = _estimated(missing.join(sizes, on=SIZE[:2], how="left"), entry)
        ratios, basis = _ratios(stored[entry.key], plan.cell.prompt)
        expected = (_expected(measure, ratios.get(measure), basis).alias(measure) for measure in MEASURES)
        row = {"cell": str(plan.cell), "model": entry.key, "basis": basis}
        capped = pl.col("completion_tokens").clip(upper_bound=entry.parameters.max_new_tokens)
        frames.append(
            estimated.with_columns(expected).with_columns(capped, **{k: pl.lit(v) for k, v in row.items()}).select(_schema().names())
        )
    return pl.concat(frames)


def totals(requests: pl.DataFrame, entry: ModelEntry) -> Totals:
    """Return what rows of `forecast` that ask one model come to, asked by themselves."""
    n, prompt, completion = requests.height, float(requests["prompt_tokens"].sum()), float(requests["completion_tokens"].sum())
    cost = usd(entry, prompt, completion) if n else 0.0
    return Totals(n, round(prompt), round(completion), cost, _minutes(requests, entry, prompt + completion))


def all_totals(parts: Iterable[Totals]) -> Totals:
    """Return the sum of the models' totals, unknown where a part is; minutes as if no two providers were asked side by side."""
    columns = list(zip(*parts, strict=True))
    return Totals(*(None if None in column else sum(column) for column in columns))  # type: ignore[arg-type]


def _minutes(requests: pl.DataFrame, entry: ModelEntry, n_tokens: float) -> float | None:
    """Little's law on the expected latency, and the entry's hard caps; a batch API has no latency to go by."""
    n, limits = requests.height, entry.limits
    if n == 0:
        return 0.0
    latency_ms = None if requests["latency_ms"].has_nulls() else float(requests["latency_ms"].sum())
    in_flight = 1 if entry.backend == "transformers" else min(limits.max_in_flight, n)  # a local latency is its share of a batch
    known = [
        latency_ms / in_flight / MS_A_MINUTE if latency_ms is not None and entry.backend != "openai_batch" else None,
        n / limits.requests_per_minute if limits.requests_per_minute else None,
        n_tokens / limits.tokens_per_minute if limits.tokens_per_minute else None,
    ]
    return max((minutes for minutes in known if minutes is not None), default=None)


def _expected(measure: str, ratio: float | None, basis: str) -> pl.Expr:
    if measure == "latency_ms":
        return pl.lit(None, pl.Float64) if ratio is None else pl.col("completion_tokens") * ratio
    return pl.col(measure) * (1.0 if ratio is None or basis == ESTIMATED else ratio)


def _ratios(stored: pl.DataFrame, prompt: str) -> tuple[Mapping[str, float | None], str]:
    """Return stored over estimated of each measure, None where nothing of it is stored, and what they are of."""
    same = stored.filter(prompt=prompt)
    chosen = stored if same.is_empty() else same
    if chosen.is_empty():
        return {}, ESTIMATED
    sums = chosen.select(pl.exclude("prompt").sum()).row(0, named=True)
    ratios = {measure: sums[measure] / sums[f"estimated_{measure}"] if sums[f"estimated_{measure}"] else None for measure in MEASURES}
    return ratios, SCALED if same.is_empty() else STORED


def _stored(entry: ModelEntry, configs: pl.DataFrame, warehouse: Warehouse) -> pl.DataFrame:
    """Return by prompt the sums of what good replies of the model took, asked as today but for prompt and revision, and of estimates.

    Raises:
        EveError: a file is damaged; it is named.
    """
    tables = {table: _files_of(table, entry.key, warehouse) for table in ("configs", "requests", "responses")}
    if not all(tables.values()):
        return pl.DataFrame(schema={"prompt": pl.String})
    try:
        grouped = _grouped(tables, configs, warehouse)
    except duckdb.Error as error:
        raise next(damaged_files(warehouse), error) from error
    estimated = _estimated(grouped.select("rendered_prompt", "width", "height"), entry)
    by = {"prompt_tokens": "prompt_tokens", "completion_tokens": "completion_tokens", "latency_ms": "completion_tokens"}
    sums = grouped.with_columns((pl.col(f"n_{m}") * estimated[by[m]]).alias(f"estimated_{m}") for m in MEASURES)
    return sums.group_by("prompt").agg(pl.col(*MEASURES).sum(), pl.col("^estimated_.*$").sum()) if sums.height else sums.select("prompt")


def _grouped(tables: Mapping[str, Sequence[Path]], configs: pl.DataFrame, warehouse: Warehouse) -> pl.DataFrame:
    """Return the sums of MEASURES, and of how many replies, by prompt, rendered_prompt, width and height."""
    with linking(warehouse.home) as link, duckdb.connect() as connection:
        for table, files in tables.items():
            kept = files if table == "responses" else [link(file, table) for file in files]
            connection.read_parquet([str(file) for file in kept], union_by_name=True).create_view(table)
        connection.register("images", read_table("images", warehouse.files("images")).select(SIZE))
        connection.register("current", configs.filter("is_current").head(1))
        found: pl.DataFrame = connection.sql(f"""
            with asked as (
                select distinct on (request_key) request_key, prompt, rendered_prompt, width, height
                from requests
                join configs using (config_digest, model, subset, prompt)
                join images using (dataset, image_id)
                where {ASKED_ALIKE} = (select {ASKED_ALIKE} from current)
            )
            select prompt, rendered_prompt, width, height,
                {", ".join(f"sum({m})::double as {m}, count({m}) as n_{m}" for m in MEASURES)}
            from asked join responses using (request_key)
            where delivery <> 'error'
            group by all
        """).pl()  # noqa: S608 - constants
        return found


def _estimated(asked: pl.DataFrame, entry: ModelEntry) -> pl.DataFrame:
    """Return the frame (rendered_prompt, width, height, ...) with prompt_tokens and completion_tokens by the rules of `tokens`."""
    texts = asked.select("rendered_prompt").unique()
    pictures = asked.select("width", "height").unique()
    of_texts = texts.with_columns(
        text_tokens=pl.Series([text_tokens(text) for text in texts["rendered_prompt"]], dtype=pl.Float64),
        completion_tokens=pl.Series([completion_tokens(entry, text) for text in texts["rendered_prompt"]], dtype=pl.Float64),
    )
    of_pictures = pictures.with_columns(
        image_tokens=pl.Series([image_tokens(entry, w or 0, h or 0) for w, h in pictures.iter_rows()], dtype=pl.Float64)
    )
    joined = asked.join(of_texts, on="rendered_prompt", how="left", maintain_order="left").join(
        of_pictures, on=["width", "height"], how="left", nulls_equal=True, maintain_order="left"
    )
    return joined.with_columns(prompt_tokens=pl.col("text_tokens") + pl.col("image_tokens"))


def _image_sizes(plans: Sequence[Plan], warehouse: Warehouse) -> pl.DataFrame:
    datasets = {dataset for plan in plans for dataset in plan.missing["dataset"].unique()}
    return read_table("images", [warehouse.file("images", dataset) for dataset in sorted(datasets)]).select(SIZE)


def _files_of(table: str, model: str, warehouse: Warehouse) -> list[Path]:
    """Return a model's files, of many parts the last: they are enough for an average."""
    files = visible_parts(warehouse, model) if table == "responses" else warehouse.folder(table).joinpath(model).rglob("*.parquet")
    return sorted(files, key=lambda file: file.name)[-MOST_PARTS:]


def _schema() -> pl.Schema:
    numbers = dict.fromkeys(MEASURES, pl.Float64())
    return pl.Schema({"cell": pl.String(), "model": pl.String(), "request_key": pl.String(), **numbers, "basis": pl.String()})
