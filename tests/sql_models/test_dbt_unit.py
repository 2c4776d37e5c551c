"""Run dbt's own unit tests."""

import json

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication, run_dbt

TESTED = {
    "stg_images", "stg_answers", "stg_answers_ever", "confusion_counts", "cells", "affect_counts", "graded_counts", "class_scores",
    "f1_scores", "weighted_f1", "affect_f1", "sentiment_bias", "error_categories", "stg_requests", "cost_and_latency",
    "label_order_answers", "label_share_changes", "published_comparison",
}  # fmt: skip


def test_all_unit_tests_pass(settings: Settings) -> None:
    """They need the tables of the models they read, hence a whole build, of an empty warehouse."""
    with publication(Warehouse.of(settings), settings) as building:
        run_dbt(building, "build")
        results = json.loads((building.target / "run_results.json").read_text())["results"]
    passed = [
        result["unique_id"].split(".") for result in results if result["unique_id"].startswith("unit_test.") and result["status"] == "pass"
    ]
    assert {model for _, _, model, _ in passed} == TESTED
