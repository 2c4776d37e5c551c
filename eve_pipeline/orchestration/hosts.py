"""Which machine a run is on: several may share one PostgreSQL, and each knows only its own processes."""

import socket
from collections.abc import Iterator
from typing import Final

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

HOST: Final = "eve/host"


def host_tags() -> dict[str, str]:
    """Return the tag that names this machine."""
    return {HOST: socket.gethostname()}


class _HostRecording(InProcessExecutor):
    """Runs the steps in the run's process, after noting where that is; the run may have been made on another machine."""

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        plan_context.instance.add_run_tags(plan_context.run_id, host_tags())
        yield from super().execute(plan_context, execution_plan)


@dg.executor(name="in_process")
def in_process_executor(_: dg.InitExecutorContext) -> InProcessExecutor:
    """Run steps one after the other in the run's process, and tag the run with its machine."""
    return _HostRecording(retries=RetryMode.ENABLED)
