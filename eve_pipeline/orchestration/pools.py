"""A pool for each provider, so that runs side by side do not ask one provider together; `Deployment > Concurrency` in the UI shows them."""

import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext

from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import model_entries

WAIT_S = 0.5


def pools_of(cells: Collection[Cell], settings: Settings) -> list[str]:
    """Return the pools of the cells' providers, in the order in which every run claims them, so that none waits for another in a circle."""
    entries = model_entries(settings)
    return sorted({re.sub(r"\W+", "_", entries[cell.model].provider) for cell in cells if cell.model in entries})


@contextmanager
def claimed(pools: Collection[str], context: dg.AssetExecutionContext) -> Iterator[None]:
    """Hold a slot of each pool; Dagster itself gives pools to steps as a whole, and one step asks many providers."""
    storage, run = context.instance.event_log_storage, context.run
    with InstanceConcurrencyContext(context.instance, run) as claims:
        held = {pool: f"{context.op_execution_context.get_step_execution_context().step.key}/{pool}" for pool in pools}
        try:
            for pool, claim in held.items():
                if not claims.claim(pool, claim):
                    context.log.info("Waiting for a slot of pool %s: another run asks this provider", pool)
                while not claims.claim(pool, claim):
                    time.sleep(WAIT_S)
            yield
        finally:
            for claim in held.values():
                storage.free_concurrency_slot_for_step(run.run_id, claim)
