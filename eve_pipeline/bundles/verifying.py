"""Check a bundle: its hashes, its keys, what is read in its replies, and every number in its marts, all computed anew."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from eve_pipeline.answers.embeddings import Embedder
from eve_pipeline.answers.reading import parser_versions, read_answers
from eve_pipeline.bundles.archive import ASK_AGAIN, Bundle, open_bundle
from eve_pipeline.bundles.comparing import DIFFERENCE, differences, mart_keys
from eve_pipeline.bundles.contents import from_bytes
from eve_pipeline.bundles.manifest import TABLES, Manifest, describe
from eve_pipeline.bundles.marts import Tables, published_marts, unpacked
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import stored_responses

HASHED = {"model_id": "$.model.id", "model_revision": "$.model.revision", "rendered_prompt": "$.prompt"}
"""Columns of configs that repeat what is in `parameters`, of which the digest is."""

FROM_TABLES = frozenset({"models", "prompts", "parser_versions", "selection_seeds"})
FROM_PROGRAM = frozenset({"contracts", "resampling"})
"""Fields of the manifest that follow from the tables, and those that follow from the program's version."""
DESCRIBED = ["field", "of", "says"]

WRONG_KEYS = {
    ("configs", "config_digest"): """
        select config_digest as row, config_digest as bundle, sha256(parameters) as recomputed from configs
        where config_digest <> sha256(parameters)""",
    ("requests", "request_key"): """
        select config_digest || ' ' || dataset || ' ' || image_id || ' ' || repeat as row, request_key as bundle,
            sha256(config_digest || image_sha256 || repeat) as recomputed
        from requests where origin = 'asked' and request_key <> sha256(config_digest || image_sha256 || repeat)""",
    ("requests", "all"): """
        select config_digest || ' ' || dataset || ' ' || image_id || ' ' || repeat as row, 'present' as bundle, 'no answer' as recomputed
        from requests anti join answers using (config_digest, model, subset, prompt, dataset, image_id, repeat)""",
    ("responses", "request_key"): """
        select request_key as row, 'present' as bundle, 'not requested' as recomputed
        from responses anti join requests using (request_key)""",
} | {
    ("configs", column): f"""
        select config_digest as row, {column} as bundle, parameters ->> '{path}' as recomputed
        from configs where {column} <> parameters ->> '{path}'"""  # noqa: S608 - constants
    for column, path in HASHED.items()
}
"""Keys are hashes of what they stand for, every request has an answer and every reply a request."""


class Verified(NamedTuple):
    """What was compared, and every difference (table, row, column, bundle, recomputed).

    `n_not_read_again` answers were read by another version of the parser, whose work cannot be repeated here.
    """

    manifest: Manifest
    n_answers: int
    n_not_read_again: int
    n_marts: int
    n_mart_rows: int
    differences: pl.DataFrame


def verify(path: Path, settings: Settings) -> Verified:
    """Return what a bundle says against what follows from its tables; no image and no network is needed for closed prompts.

    Raises:
        EveError: the bundle is cut off, damaged, changed, or newer than this program; every file that is not as listed is named.
    """
    with open_bundle(path) as bundle:
        if problems := bundle.problems():
            raise EveError(f"{path} is not as its manifest says: {'; '.join(problems)}", ASK_AGAIN)
        manifest = bundle.manifest
        tables = {name: _table(name, bundle) for name in TABLES}
        with unpacked(tables, settings) as temporary:
            read_again, n_other = _read_again(tables, temporary)
            marts = published_marts(temporary)
        keys = mart_keys(settings.dbt_project)
        theirs = {name: _mart(name, bundle, marts) for name in _names("marts", manifest)}
    found = [differences(name, keys.get(name, rows.columns), rows, marts.get(name, pl.DataFrame())) for name, rows in theirs.items()]
    return Verified(
        manifest=manifest,
        n_answers=tables["answers"].height,
        n_not_read_again=n_other,
        n_marts=len(theirs),
        n_mart_rows=sum(rows.height for rows in theirs.values()),
        differences=pl.concat([misdescribed(manifest, tables), wrong_keys(tables), read_again, left_out(theirs, marts, manifest), *found]),
    )


def misdescribed(manifest: Manifest, tables: Tables) -> pl.DataFrame:
    """Return what a manifest says otherwise than its tables or, where it is of this version, than this program, as differences."""
    ours = describe(tables, manifest.files, manifest.selection, manifest.published, manifest.format)
    fields = FROM_TABLES if manifest.program.version != ours.program.version else FROM_TABLES | FROM_PROGRAM
    said, follows = (pl.DataFrame(_described(one, fields), DESCRIBED, orient="row") for one in (manifest, ours))
    return differences("manifest", ("field", "of"), said, follows)


def _described(manifest: Manifest, fields: frozenset[str]) -> list[tuple[str, str, str]]:
    named = ((field, getattr(manifest, field)) for field in sorted(fields))
    return [
        (field, str(key), str(value))
        for field, said in named
        for key, value in (said.items() if isinstance(said, dict) else [("all", said)])
    ]


def left_out(theirs: Tables, marts: Tables, manifest: Manifest) -> pl.DataFrame:
    """Return the marts and columns that a bundle of this version lacks, as differences; one of an earlier version may know less."""
    if manifest.program.version != version("eve_pipeline"):
        return pl.DataFrame(schema=DIFFERENCE)
    whole = [(name, "all", "all") for name in marts if name not in theirs]
    columns = [
        (name, "all", column) for name, rows in theirs.items() for column in marts.get(name, rows).columns if column not in rows.columns
    ]
    return pl.DataFrame([(*place, "absent", "present") for place in whole + columns], DIFFERENCE, orient="row")


def _names(folder: str, manifest: Manifest) -> list[str]:
    return [Path(name).stem for name in manifest.files if name.startswith(f"{folder}/")]


def _table(name: str, bundle: Bundle) -> pl.DataFrame:
    contract = contracts()[name]
    if name not in _names("tables", bundle.manifest):
        return contract.polars_schema.to_frame()
    return contract.conform(_rows(f"tables/{name}", bundle, contract.polars_schema))


def _mart(name: str, bundle: Bundle, marts: Tables) -> pl.DataFrame:
    return _rows(f"marts/{name}", bundle, marts[name].schema if name in marts else pl.Schema())


def _rows(name: str, bundle: Bundle, schema: pl.Schema) -> pl.DataFrame:
    full_name = f"{name}.{bundle.manifest.format}"
    try:
        rows = from_bytes(bundle.read(full_name), bundle.manifest.format, schema)
    except (KeyError, ValueError, pl.exceptions.PolarsError) as error:
        raise EveError(f"{bundle.path}: {full_name} cannot be read: {error}", ASK_AGAIN) from error
    if rows.height != (listed := bundle.manifest.files[full_name].n_rows):
        raise EveError(f"{bundle.path}: {full_name} has {rows.height} rows, its manifest says {listed}", ASK_AGAIN)
    return rows


def wrong_keys(tables: Tables) -> pl.DataFrame:
    """Return the keys that are not the hashes of what they stand for, and rows without their counterpart, as differences."""
    with duckdb.connect() as connection:
        for name in ("configs", "requests", "responses", "answers"):
            connection.register(name, tables[name])
        found: dict[tuple[str, str], pl.DataFrame] = {where: connection.sql(query).pl() for where, query in WRONG_KEYS.items()}
    named = (rows.with_columns(table=pl.lit(table), column=pl.lit(column)) for (table, column), rows in found.items())
    return pl.concat(rows.select(DIFFERENCE.keys()) for rows in named)


def _read_again(tables: Tables, settings: Settings) -> tuple[pl.DataFrame, int]:
    """Return how the answers differ from what is read in the replies now, and how many another parser has read."""
    embedder, configs, requests = Embedder(settings), tables["configs"], tables["requests"]
    cell = ["config_digest", "model", "subset", "prompt"]
    versions = configs.select(*cell, version=parser_versions(configs, embedder))
    answers = tables["answers"].join(versions, on=cell, how="left")
    comparable = answers.filter(pl.col("version").eq_missing(pl.col("parser_version"))).drop("version")
    key: Sequence[str] = contracts()["answers"].key
    responses = stored_responses(requests["request_key"], Warehouse.of(settings))
    ours = read_answers(requests, responses, configs, embedder).join(answers.select(key).unique(), on=list(key), how="semi")
    return differences("answers", key, comparable, ours), answers.height - comparable.height
