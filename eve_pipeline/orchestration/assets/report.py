"""The report: written anew with every publication."""

import dagster as dg

from eve_pipeline.orchestration import metadata
from eve_pipeline.report.sections import sections
from eve_pipeline.report.writing import summary_pictures, write_report
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse


@dg.asset(deps=sorted({mart for section in sections() for mart in section.marts}), group_name="report", kinds={"html"})
def report(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """Write what the published database says as one HTML file."""
    warehouse = Warehouse.of(settings)
    file = write_report(warehouse.database, warehouse.report)
    pictures = {title: metadata.picture(image, title) for title, image in summary_pictures(warehouse.database).items()}
    return dg.MaterializeResult(metadata={"file": dg.MetadataValue.path(file), **pictures})
