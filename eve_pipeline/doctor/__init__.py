"""`eve doctor`: what the pipeline needs, whether it is there, and what to do where it is not."""

from eve_pipeline.doctor.diagnosis import diagnose
from eve_pipeline.doctor.finding import Finding
from eve_pipeline.doctor.showing import findings_table

__all__ = ["Finding", "diagnose", "findings_table"]
