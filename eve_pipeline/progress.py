"""Progress bars on long work: rich's, on standard error, where that is a terminal."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import track as rich_track

Item = TypeVar("Item")


def track(items: Iterable[Item], *, total: int, description: str) -> Iterable[Item]:
    """Return the items again, showing how many of `total` are done as they are used up."""
    console = Console(stderr=True)
    return rich_track(items, total=total, description=description, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def transfer_bar(description: str, done: int, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` bytes are done while the block runs; it gets a function to call with the bytes of each piece."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(description, total=total, completed=done)
        yield lambda n_bytes: progress.update(task, advance=n_bytes)
