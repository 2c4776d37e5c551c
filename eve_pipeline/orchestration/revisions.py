"""Observed revisions: what each model and each task is today, as data versions that automation compares."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from eve_pipeline.datasets.registry import dataset_entries
from eve_pipeline.errors import EveError
from eve_pipeline.orchestration.checks import described
from eve_pipeline.orchestration.partitions import MODELS, TASKS
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.quality.checking import Rule, Rules
from eve_pipeline.responses.observing import Observed, observe_models, observe_tasks
from eve_pipeline.responses.reevaluation import asked_cells
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import ModelEntry, model_entries
from eve_pipeline.vlms.revisions import is_settled

MODEL, TASK = dg.AssetKey("model_revision"), dg.AssetKey("task_revision")
ASSETS: Final = {"model": MODEL, "task": TASK}
CHECKS: Final[dict[dg.AssetKey, Rules]] = {
    MODEL: {
        "folders_known": Rule(
            "the entry of every model, and its files where they are in a folder, can be read",
            "Correct the entry, or put the folder back.",
        ),
        "services_known": Rule(
            "hubs and endpoints say which revision of each model they serve",
            "See whether they are up; or state a `revision:` in the entry.",
        ),
    },
    TASK: {
        "tasks_known": Rule(
            "every prompt and dataset, and the images of every task, can be read",
            "Correct the prompt or the dataset's entry, or prepare the dataset.",
        )
    },
}


def look(check: str, settings: Settings, *, settled_for_s: float = 0) -> tuple[str, list[Observed]]:
    """Return a check's name and what it is about, of all that was ever asked: tasks, models that this machine knows, or those of services.

    Models in folders in which something was written less than `settled_for_s` seconds ago are left out: they may still be copied.
    Entries that cannot be read are a problem each, of models among those in folders; a file of entries that cannot be is the only one.
    """
    try:
        return check, _observed_tasks(settings) if check == "tasks_known" else _observed_models(check, settings, settled_for_s)
    except EveError as error:
        return check, [Observed("task" if check == "tasks_known" else "model", "entries", problem=str(error))]


def _observed_tasks(settings: Settings) -> list[Observed]:
    broken = prompt_variants(settings).broken | dataset_entries(settings).broken
    asked = sorted({cell.task for cell in asked_cells(settings)})
    return [*observe_tasks(asked, settings), *(Observed("task", key, problem=str(error)) for key, error in broken.items())]


def _observed_models(check: str, settings: Settings, settled_for_s: float) -> list[Observed]:
    cells, entries, is_here = asked_cells(settings), model_entries(settings), check == "folders_known"
    known_here = {key for key, entry in entries.items() if entry.path or entry.revision}
    models = sorted({cell.model for cell in cells if (cell.model in known_here) == is_here})
    observed = observe_models([key for key in models if _may_be_told(entries[key], settled_for_s)], settings)
    broken = entries.broken if is_here else {}
    return [*observed, *(Observed("model", key, problem=str(error)) for key, error in broken.items())]


def _may_be_told(entry: ModelEntry, settled_for_s: float) -> bool:
    return entry.path is None or is_settled(entry.path, settled_for_s)


def changed(observed: Collection[Observed], instance: dg.DagsterInstance) -> list[dg.AssetObservation]:
    """Return observations of what differs from what was recorded last, so that looking again says nothing."""
    recorded = {kind: _recorded(ASSETS[kind], instance) for kind in {one.kind for one in observed}}
    return [
        dg.AssetObservation(ASSETS[one.kind], partition=one.key, tags={DATA_VERSION_TAG: one.revision})
        for one in observed
        if one.revision and one.revision != recorded[one.kind].get(one.key)
    ]


def _recorded(asset: dg.AssetKey, instance: dg.DagsterInstance) -> Mapping[str, str]:
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        asset, dg.DagsterEventType.ASSET_OBSERVATION, tag_keys=[DATA_VERSION_TAG]
    )
    return {partition: found[DATA_VERSION_TAG] for partition, found in tags.items()}


def known(check: str, observed: Collection[Observed]) -> dg.AssetCheckEvaluation:
    """Return whether every revision is known, and why not; not by partition: Dagster keeps such a result only once outside runs."""
    asset = next(asset for asset, checks in CHECKS.items() if check in checks)
    problems = [f"{one.key}: {one.problem}" for one in observed if one.problem]
    return dg.AssetCheckEvaluation(
        asset, check, passed=not problems, description="; ".join(problems) or "all known", metadata={"observed": len(observed)}
    )


def news(
    check: str, observed: Collection[Observed], instance: dg.DagsterInstance, *, with_changes: bool = True
) -> Sequence[dg.AssetObservation | dg.AssetCheckEvaluation]:
    """Return what is to be recorded of partitions that were looked at together: changed revisions, and a check that says something new."""
    evaluation = known(check, observed)
    said = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(evaluation.asset_key, check), limit=1)
    is_new = not said or said[0].evaluation is None or said[0].evaluation.description != evaluation.description
    return [*(changed(observed, instance) if with_changes else []), *([evaluation] if is_new else [])]


def record(observed: Collection[Observed], instance: dg.DagsterInstance) -> None:
    """Record what cells were asked with, so that automation finds nothing new in them."""
    for event in changed(observed, instance):
        instance.report_runless_asset_event(event)


@dg.observable_source_asset(name="model_revision", partitions_def=MODELS, group_name="revisions")
def model_revision(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.DataVersionsByPartition:
    """What answers for each model (a digest of files, a hub's commit, the name that an endpoint lists), and with which settings."""
    return _versions(observe_models(context.partition_keys, settings))


@dg.observable_source_asset(name="task_revision", partitions_def=TASKS, group_name="revisions")
def task_revision(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.DataVersionsByPartition:
    """What each task asks about which images."""
    return _versions(observe_tasks(context.partition_keys, settings))


def _versions(observed: Iterable[Observed]) -> dg.DataVersionsByPartition:
    return dg.DataVersionsByPartition({one.key: one.revision for one in observed if one.revision})


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(check, asset=asset, description=described(rule))
        for asset, rules in CHECKS.items()
        for check, rule in rules.items()
    ]
)
def revisions_known(settings: dg.ResourceParam[Settings]) -> Iterator[dg.AssetCheckResult]:
    """Look now, as the sensors do now and then."""
    for check in (check for checks in CHECKS.values() for check in checks):
        found = known(*look(check, settings))
        yield dg.AssetCheckResult(
            asset_key=found.asset_key, check_name=check, passed=found.passed, description=found.description, metadata=found.metadata
        )
