"""What a bundle holds, what it was made of and with: `manifest.json`."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any, Final

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from eve_pipeline.bundles.contents import Format
from eve_pipeline.settings import PROJECT
from eve_pipeline.statistics.bootstrap import DRAWS, SEED
from eve_pipeline.warehouse.contract import contracts

NAME: Final = "manifest.json"
VERSION: Final = 1
"""Raised with every change that an older program cannot read."""

LIBRARIES: Final = ("polars", "duckdb", "dbt-core", "dbt-duckdb", "numpy", "scipy", "statsmodels", "transformers", "torch", "openai")
TABLES: Final = ("images", "classifier_scores", "benchmark_items", "configs", "requests", "responses", "answers")

FileName = Annotated[str, StringConstraints(pattern=r"^(tables|marts)/[a-z0-9_]{1,64}\.(parquet|csv)$")]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Selection(BaseModel):
    """Which cells a bundle holds: those of the named models, datasets, subsets and prompts; all where none is named."""

    model_config = ConfigDict(frozen=True)

    model: tuple[str, ...] = ()
    dataset: tuple[str, ...] = ()
    subset: tuple[str, ...] = ()
    prompt: tuple[str, ...] = ()


class File(BaseModel):
    """One file of a bundle."""

    model_config = ConfigDict(frozen=True)

    sha256: Digest
    n_bytes: int = Field(ge=0)
    n_rows: int = Field(ge=0)


class Program(BaseModel):
    """What made the bundle; `commit` ends in -dirty where files were changed, and is None where it is not known."""

    model_config = ConfigDict(frozen=True)

    version: str
    commit: str | None
    python: str
    libraries: dict[str, str]


class Manifest(BaseModel):
    """The whole of it. Fields that a later version adds are ignored; what cannot be ignored raises `bundle_version`."""

    model_config = ConfigDict(frozen=True)

    bundle_version: int
    created_at: datetime
    published: str = Field(description="name of the publication that the tables come from")
    selection: Selection
    format: Format
    program: Program
    contracts: dict[str, int] = Field(description="version of each table's contract")
    models: dict[str, list[str]] = Field(description="revisions of each model")
    prompts: dict[str, list[str]] = Field(description="revisions of each prompt")
    parser_versions: list[str]
    selection_seeds: dict[str, list[int]] = Field(description="seeds with which each subset was drawn")
    resampling: dict[str, int] = Field(description="seed and draws of intervals and tests")
    files: dict[FileName, File]


def describe(
    tables: dict[str, pl.DataFrame], files: dict[str, File], selection: Selection, published: str, file_format: Format
) -> Manifest:
    """Return the manifest of a bundle with these tables and files; decoding seeds are in `configs.parameters`."""
    configs = tables["configs"]
    return Manifest(
        bundle_version=VERSION,
        created_at=datetime.now(UTC),
        published=published,
        selection=selection,
        format=file_format,
        program=this_program(),
        contracts={name: contracts()[name].version for name in TABLES},
        models=_by_key(configs, "model", "model_revision"),
        prompts=_by_key(configs, "prompt", "prompt_revision"),
        parser_versions=tables["answers"]["parser_version"].unique().sort().to_list(),
        selection_seeds=_by_key(tables["benchmark_items"].drop_nulls("selection_seed"), "subset", "selection_seed"),
        resampling={"seed": SEED, "draws": DRAWS},
        files=files,
    )


def this_program() -> Program:
    """Return what runs here."""
    return Program(
        version=version("eve_pipeline"),
        commit=_commit(),
        python=platform.python_version(),
        libraries={name: version(name) for name in LIBRARIES},
    )


def _commit() -> str | None:
    if not (PROJECT / ".git").exists():
        return None
    command = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=40", "--match="]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _by_key(frame: pl.DataFrame, key: str, value: str) -> dict[str, list[Any]]:
    return dict(frame.group_by(key).agg(pl.col(value).unique().sort()).sort(key).iter_rows())
