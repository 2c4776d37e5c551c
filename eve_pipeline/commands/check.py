"""`eve check`: whether what is materialized is as expected."""

from typing import TYPE_CHECKING, Annotated

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
    datasets: Annotated[list[str], typer.Option("--dataset", help="Check this dataset alone; repeatable.")] = [],  # noqa: B006 - typer copies it
    models: Annotated[list[str], typer.Option("--model", help="Check this model's cells alone; repeatable.")] = [],  # noqa: B006
) -> None:
    """Check images, items, responses and answers; list what is not as expected and write a page. Exits with 1 after an error."""
    from eve_pipeline.errors import EveError
    from eve_pipeline.quality.page import findings, write_page
    from eve_pipeline.quality.tables import check_or_say_why, materialized
    from eve_pipeline.warehouse.paths import Warehouse

    settings = Settings()
    warehouse, named = Warehouse.of(settings), {*datasets, *models}
    there = list(materialized(settings))
    if unknown := named - {partition[0] for _, partition in there}:
        raise EveError(f"Nothing of {', '.join(sorted(unknown))} is materialized", "`eve datasets` and `eve models` list the names.")
    found = [check_or_say_why(table, partition, settings) for table, partition in there if not named or partition[0] in named]
    wrong, page = findings(found), write_page(warehouse)
    if wrong:
        show(pl.DataFrame([_row(finding) for finding in wrong]))
    n_errors = sum(finding.result.severity == "error" for finding in wrong)
    n_passed = sum(len(record.results) for record in found) - len(wrong)
    text = f"{n_passed:,} checks of {len(found)} partitions passed, {len(wrong) - n_errors} warnings, {n_errors} errors: {page}"
    Console().print(text, highlight=False, soft_wrap=True)
    if n_errors:
        raise typer.Exit(1)


def _row(finding: "Finding") -> dict[str, object]:
    result = finding.result
    return {
        "": "!!" if result.severity == "error" else "?",
        "table": finding.record.table,
        "partition": finding.partition,
        "check": result.name,
        "found": "\n".join((result.message, *result.examples[:SHOWN_EXAMPLES])),
    }
