"""`eve prune`: free room in EVE_HOME."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import polars as pl
import typer
from rich.console import Console

from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from eve_pipeline.pruning.leftovers import Leftover


@explained
def prune(
    yes: Annotated[bool, typer.Option("--yes", help="Remove what is shown; without it nothing is removed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show, whatever else is given.")] = False,
    keep_revisions: Annotated[
        int | None, typer.Option(min=0, help="Also old revisions of each cell, but for the newest so many; current ones always stay.")
    ] = None,
    older_than: Annotated[int | None, typer.Option(min=1, help="Also old revisions whose last reply is older than so many days.")] = None,
    removed: Annotated[bool, typer.Option("--removed", help="Also what is left of models, datasets and prompts without an entry.")] = False,
) -> None:
    """Show, and with --yes remove, what killed processes left, replaced publications and parts, stale caches, old logs.

    Old revisions and their paid replies go only where an option says so, and never a reply that a model would ask for today.
    """
    from eve_pipeline.pruning.datasets import removed_tables
    from eve_pipeline.pruning.leftovers import find_leftovers, remove_leftovers
    from eve_pipeline.pruning.revisions import Rule, find_revisions, remove_revisions

    settings, console = Settings(), Console(highlight=False, soft_wrap=True)
    rule = Rule(keep_revisions, None if older_than is None else timedelta(days=older_than), removed)
    leftovers, found = find_leftovers(settings), find_revisions(rule, settings)
    tables = removed_tables(settings, found.revisions) if removed else []
    if leftovers or tables:
        show(_by_kind([*leftovers, *tables]))
    if found.revisions.height:
        show(_shown(found.revisions))
    for line in found.kept:
        console.print(line)
    if not (leftovers or tables or found.revisions.height):
        console.print("There is nothing to remove.")
    elif dry_run or not yes:
        console.print("Nothing was removed; eve prune --yes with the same options removes all of it.")
    else:
        n_replies, held = remove_revisions(found.revisions, settings)
        unused = removed_tables(settings) if removed else []  # but for those of cells that were held
        gone = remove_leftovers([*leftovers, *unused], settings)
        console.print(
            f"Removed {len(gone)} of {len(leftovers) + len(tables)} files and folders, {sum(one.n_bytes for one in gone) / 1e6:.1f} MB."
        )
        if n_replies:
            console.print(f"{n_replies} replies were left out; their files go with eve prune later, when no kept publication reads them.")
        if found.revisions.height:
            console.print("eve publish shows what is left.")
        for line in held:
            console.print(f"Stays: {line}")


def _by_kind(leftovers: "list[Leftover]") -> pl.DataFrame:
    rows = pl.DataFrame([{"what": one.kind, "n": 1, "MB": one.n_bytes / 1e6} for one in leftovers])
    return rows.group_by("what", maintain_order=True).sum()


def _shown(revisions: pl.DataFrame) -> pl.DataFrame:
    return revisions.select(
        cell=pl.format("{} x {}.{}", "model", "subset", "prompt"),
        model_revision=pl.col("model_revision").str.slice(0, 12),
        prompt_revision=pl.col("prompt_revision").str.slice(0, 12),
        last_reply=pl.col("last_reply_at").dt.strftime("%Y-%m-%d"),
        requests="n_requests",
        replies="n_replies",
        USD="usd",
    )
