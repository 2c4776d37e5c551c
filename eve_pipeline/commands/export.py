"""`eve export`: results as one file to send."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eve_pipeline.files import sha256_of_file
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained

Keys = list[str]


@explained
def export(
    bundle: Annotated[Path, typer.Argument(help="File to write, such as results.zip.")],
    models: Annotated[Keys, typer.Option("--model", help="Model whose results to take; repeatable; default: all.")] = [],  # noqa: B006
    datasets: Annotated[Keys, typer.Option("--dataset", help="Dataset, with all its subsets; repeatable; default: all.")] = [],  # noqa: B006
    subsets: Annotated[Keys, typer.Option("--subset", help="Subset; repeatable; default: all.")] = [],  # noqa: B006
    prompts: Annotated[Keys, typer.Option("--prompt", help="Prompt; repeatable; default: all.")] = [],  # noqa: B006
    file_format: Annotated[str, typer.Option("--format", help="Files of the bundle: parquet or csv.")] = "parquet",
) -> None:
    """Write published results to one zip file: tables, marts, and a manifest of versions, revisions, seeds and hashes."""
    from eve_pipeline.bundles.exporting import export as write
    from eve_pipeline.bundles.manifest import Selection
    from eve_pipeline.errors import EveError

    if file_format not in {"parquet", "csv"}:
        raise EveError(f"There is no format {file_format!r}", "Name parquet or csv.")
    selection = Selection(model=tuple(models), dataset=tuple(datasets), subset=tuple(subsets), prompt=tuple(prompts))
    done = write(bundle, selection, Settings(), "csv" if file_format == "csv" else "parquet")
    n_answers = next(file.n_rows for name, file in done.manifest.files.items() if name.startswith("tables/answers."))
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Wrote {bundle}: {done.n_cells} cells, {n_answers} answers, {bundle.stat().st_size / 1e6:.1f} MB")
    console.print(f"SHA-256 {sha256_of_file(bundle)}")
