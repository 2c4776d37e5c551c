"""`eve check`: whether what is materialized is as expected."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import polars as pl
import typer
from rich.console import Console

from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from eve_pipeline.quality.page import Finding

SHOWN_EXAMPLES = 2


@explained
def check(
    datasets: Annotated[list[str], typer.Option("--dataset", help="Check this dataset and its cells alone; repeatable.")] = [],  # noqa: B006 - typer copies it
    models: Annotated[list[str], typer.Option("--model", help="Check this model's cells alone; repeatable.")] = [],  # noqa: B006
) -> None:
    """Check images, items, responses and answers; list what is not as expected and write a page. Exits with 1 after an error."""
    from eve_pipeline.quality.page import findings, write_page
    from eve_pipeline.quality.tables import check_or_say_why
    from eve_pipeline.warehouse.paths import Warehouse

    settings = Settings()
    selected = _selected(_parts(settings), datasets, models)
    found = [check_or_say_why(part.table, part.partition, settings) for part in selected]
    wrong, page = findings(found), write_page(Warehouse.of(settings))
    if wrong:
        show(pl.DataFrame([_row(finding) for finding in wrong]))
    n_errors = sum(finding.result.severity == "error" for finding in wrong)
    n_passed = sum(len(record.results) for record in found) - len(wrong)
    text = f"{n_passed:,} checks of {len(found)} partitions passed, {len(wrong) - n_errors} warnings, {n_errors} errors: {page}"
    Console().print(text, highlight=False, soft_wrap=True)
    if n_errors:
        raise typer.Exit(1)


class Part(NamedTuple):
    """A partition of a table, and which dataset it is of, and which model, of tables that have one."""

    table: str
    partition: tuple[str, ...]
    dataset: str
    model: str | None


def _parts(settings: Settings) -> list[Part]:
    from eve_pipeline.quality.tables import materialized
    from eve_pipeline.responses.cells import Cell, subset_datasets

    datasets = {subset: entry.key for subset, entry in subset_datasets(settings).items()}
    parts = []
    for table, partition in materialized(settings):
        if len(partition) == 1:
            parts.append(Part(table, partition, partition[0], None))
        else:
            cell = Cell.of(*partition)
            parts.append(Part(table, partition, datasets.get(cell.subset, cell.subset.removesuffix("-hard")), cell.model))
    return parts


def _selected(parts: Sequence[Part], datasets: Sequence[str], models: Sequence[str]) -> list[Part]:
    """Return the parts of the datasets and of the models that are named; where none are, of all."""
    from eve_pipeline.errors import EveError

    unknown = {*datasets} - {part.dataset for part in parts} | {*models} - {part.model for part in parts}
    if unknown:
        raise EveError(f"Nothing of {', '.join(sorted(unknown))} is materialized", "`eve datasets` and `eve models` list the names.")
    return [part for part in parts if (not datasets or part.dataset in datasets) and (not models or part.model in models)]


def _row(finding: "Finding") -> dict[str, object]:
    result = finding.result
    return {
        "": "!!" if result.severity == "error" else "?",
        "table": finding.record.table,
        "partition": finding.partition,
        "check": result.name,
        "found": "\n".join((result.message, *result.examples[:SHOWN_EXAMPLES])),
    }
