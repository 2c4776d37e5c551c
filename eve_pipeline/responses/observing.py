"""Observe what models and tasks are now, which automation compares with what they were."""

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal, NamedTuple

from eve_pipeline.errors import EveError
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.model_revisions import model_revision
from eve_pipeline.responses.task_revisions import task_revision
from eve_pipeline.settings import Settings


class Observed(NamedTuple):
    """A model or a task, and its revision or the reason why none can be had."""

    kind: Literal["model", "task"]
    key: str
    revision: str | None = None
    problem: str | None = None


def observe_models(models: Collection[str], settings: Settings) -> list[Observed]:
    """Return the revision of each model; services are asked side by side."""
    with ThreadPoolExecutor(max(1, len(models))) as threads:
        return list(threads.map(lambda key: _observe("model", key, partial(model_revision, key, settings)), models))


def observe_tasks(tasks: Iterable[str], settings: Settings) -> list[Observed]:
    """Return the revision of each task."""
    return [_observe("task", task, partial(task_revision, task, settings)) for task in tasks]


def observe_cells(cells: Collection[Cell], settings: Settings) -> list[Observed]:
    """Return the revisions of the cells' models and tasks.

    Whoever asks the cells does so before: a change that comes while they are asked then is one.
    """
    return [*observe_models({cell.model for cell in cells}, settings), *observe_tasks({cell.task for cell in cells}, settings)]


def about(cells: Collection[Cell], observed: Iterable[Observed]) -> list[Observed]:
    """Return what was observed of the cells' models and tasks."""
    keys = {("model", cell.model) for cell in cells} | {("task", cell.task) for cell in cells}
    return [one for one in observed if (one.kind, one.key) in keys]


def _observe(kind: Literal["model", "task"], key: str, resolve: Callable[[], str]) -> Observed:
    try:
        return Observed(kind, key, resolve())
    except (EveError, OSError) as error:
        return Observed(kind, key, problem=str(error))
