"""Progress bars on long work: rich's, on standard error, where that is a terminal."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

Item = TypeVar("Item")


def track(items: Iterable[Item], *, total: int, description: str) -> Iterator[Item]:
    """Yield the items again, showing how many of `total` are done as they are used up."""
    with bars() as progress:
        yield from add_bar(progress, items, total=total, description=description)


@contextmanager
def bars() -> Iterator[Progress]:
    """Show any number of bars below each other while the block runs; any thread may add one."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        yield progress


def add_bar(progress: Progress, items: Iterable[Item], *, total: int, description: str) -> Iterator[Item]:
    """Yield the items again, showing in a bar of their own how many of `total` are done; the bar goes with the last."""
    task = progress.add_task(description, total=total)
    try:
        for item in items:
            yield item
            progress.advance(task)
    finally:
        progress.remove_task(task)


@contextmanager
def transfer_bar(description: str, done: int, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` bytes are done while the block runs; it gets a function to call with the bytes of each piece."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(description, total=total, completed=done)
        yield lambda n_bytes: progress.update(task, advance=n_bytes)
