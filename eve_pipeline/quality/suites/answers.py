"""What the answers of one cell are expected to hold."""

from typing import Final

from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.quality.checking import Check, Severity

STATUSES = ("ok", "out_of_vocabulary", "unparseable", "refusal", "content_filter", "error", "missing")
NOT_RECEIVED = ("content_filter", "error", "missing")
MIN_PARSE_RATE = 0.9
ENOUGH_TO_VARY = 20

ANSWER_CHECKS: Final[dict[str, Severity]] = {
    "status_known": "error",
    "one_row_per_request": "error",
    "ok_has_label": "error",
    "ok_label_in_list": "error",
    "parse_rate": "warning",
    "none_missing": "warning",
    "labels_vary": "warning",
}
"""Severity of each check by name, known without importing Great Expectations."""


def answers_suite(labels: Labels, n_requests: int) -> list[Check]:
    """Return the checks of table `answers` for one cell of `n_requests` rows; from 20 on, its labels must not all be the same."""
    import great_expectations.expectations as gx
    from great_expectations.expectations.row_conditions import Column

    request = ["config_digest", "subset", "dataset", "image_id", "repeat", "parser_version"]
    status, is_ok = Column("status"), Column("status") == "ok"
    parsed = {"value_set": ["ok", "out_of_vocabulary"], "mostly": MIN_PARSE_RATE}
    expectations = {
        "status_known": gx.ExpectColumnValuesToBeInSet(column="status", value_set=list(STATUSES)),
        "one_row_per_request": gx.ExpectCompoundColumnsToBeUnique(column_list=request),
        "ok_has_label": gx.ExpectColumnValuesToNotBeNull(column="label", row_condition=is_ok),
        "ok_label_in_list": gx.ExpectColumnValuesToBeInSet(column="label", value_set=list(labels), row_condition=is_ok),
        "parse_rate": gx.ExpectColumnValuesToBeInSet(column="status", row_condition=status.is_not_in(list(NOT_RECEIVED)), **parsed),
        "none_missing": gx.ExpectColumnValuesToNotBeInSet(column="status", value_set=["error", "missing"]),
        "labels_vary": gx.ExpectColumnUniqueValueCountToBeBetween(
            column="label", min_value=2 if n_requests >= ENOUGH_TO_VARY else 0, row_condition=is_ok
        ),
    }
    return [Check(name, expectations[name], severity) for name, severity in ANSWER_CHECKS.items()]
