"""The demo: the whole pipeline on the data and models that come with the project."""

from collections.abc import Callable

import dagster as dg

from eve_pipeline.orchestration.launching import Launcher
from eve_pipeline.responses.cells import select_cells
from eve_pipeline.settings import Settings

DATASET = "sample"
SUBSETS = ("sample", "sample-hard")
MODELS = ("demo-llava-small", "demo-llava-base")


def run_demo(launcher: Launcher, settings: Settings, tell: Callable[[str], None]) -> None:
    """Prepare the dataset, ask both models with every prompt about both subsets, and publish; `tell` hears of each step."""
    tell(f"1/3 Preparing dataset {DATASET}: draw, read, verify, find what is hard")
    launcher.prepare(DATASET)
    cells = select_cells(settings, models=MODELS, subsets=SUBSETS)
    tell(f"2/3 Asking {' and '.join(MODELS)}: {len(cells)} cells")
    launcher.evaluate(cells)
    tell("3/3 Publishing eve.duckdb: SQL models and their tests")
    launcher.publish()


@dg.op
def run_everything(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Launch the three jobs one after the other; each is a run of its own."""
    from eve_pipeline.orchestration.definitions import build_definitions

    run_demo(Launcher(build_definitions(settings), context.instance, settings), settings, tell=context.log.info)


@dg.job(description="Prepare, evaluate and publish the demo's dataset and models.")
def demo() -> None:
    """Run the whole pipeline on the embedded data and models."""
    run_everything()
