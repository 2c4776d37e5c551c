"""`eve verify`: whether a bundle's numbers follow from its replies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from eve_pipeline.bundles.verifying import Verified

MOST_SHOWN = 40


@explained
def verify(bundle: Annotated[Path, typer.Argument(help="File that eve export wrote.")]) -> None:
    """Check the hashes of a bundle, read its replies and compute its marts anew, and compare; exit with 1 on any difference."""
    from eve_pipeline.bundles.verifying import verify as compare

    verified = compare(bundle, Settings())
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{len(verified.manifest.files)} files are as the manifest says.")
    for line in _lines(verified):
        console.print(line)
    if verified.differences.height:
        show(verified.differences.head(MOST_SHOWN))
        raise typer.Exit(1)


def _lines(verified: "Verified") -> list[str]:
    found = verified.differences
    n_read = verified.n_answers - verified.n_not_read_again
    compared = f"{n_read} answers and {verified.n_mart_rows} rows of {verified.n_marts} marts were computed anew"
    lines = [f"{compared}; all are equal." if found.is_empty() else f"{compared}; {found.height} values differ."]
    if verified.n_not_read_again:
        versions = ", ".join(verified.manifest.parser_versions)
        lines.append(
            f"{verified.n_not_read_again} answers were read by another version of the parser ({versions}): they are taken as they are."
        )
    if found.height:
        lines += _other_versions(verified)
        lines += [f"The first {MOST_SHOWN}:"] if found.height > MOST_SHOWN else []
    return lines


def _other_versions(verified: "Verified") -> list[str]:
    """Say which versions are not those that made the bundle, for they may be why."""
    from eve_pipeline.bundles.manifest import this_program

    made, here = verified.manifest.program, this_program()
    theirs, ours = (p.libraries | {"eve_pipeline": p.version, "commit": p.commit or "unknown", "python": p.python} for p in (made, here))
    other = [f"{name} {version}, here {ours[name]}" for name, version in theirs.items() if name in ours and ours[name] != version]
    return [f"Made with: {'; '.join(other)}."] if other else []
