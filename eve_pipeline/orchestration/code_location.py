"""What workspace.yaml loads."""

from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.settings import Settings

defs = build_definitions(Settings())
