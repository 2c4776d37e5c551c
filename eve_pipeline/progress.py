"""Progress bars on long work: rich's, on standard error, where that is a terminal."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

Item = TypeVar("Item")


def track(items: Iterable[Item], *, total: int, description: str) -> Iterable[Item]:
    """Return the items again, showing how many of `total` are done as they are used up."""
    console = Console(stderr=True)
    return rich_track(items, total=total, description=description, console=console, disable=not console.is_terminal, transient=True)
