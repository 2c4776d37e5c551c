"""Compute on all cores, and never the same twice."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from threadpoolctl import threadpool_limits

Parameters = ParamSpec("Parameters")
Item = TypeVar("Item")
Result = TypeVar("Result")

VERSION = "6"
"""Raised with every change of what a kept function computes; results of other versions are not read."""


class Keep(Protocol):
    """What wraps a function so that its results are kept."""

    def __call__(self, function: Callable[Parameters, Result], /) -> Callable[Parameters, Result]:
        """Return the function, or one that looks its results up."""
        ...


def keep_in(folder: str | None) -> Keep:
    """Return what keeps the results of pure functions in a folder by their arguments; without a folder nothing is kept.

    Whoever publishes again after one cell has changed waits for that cell's draws alone. The folder may be deleted at any time.
    """
    if not folder:
        return lambda function: function
    import joblib

    memory = joblib.Memory(Path(folder) / VERSION, verbose=0)

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        return memory.cache(function)  # type: ignore[no-any-return]

    return keep


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return the function's results in order, each item on one core: numpy draws and multiplies outside of Python's lock."""
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(function, items))
