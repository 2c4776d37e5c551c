"""What the answers of one cell are expected to hold."""

from collections.abc import Mapping
from typing import Final

from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.quality.checking import Check, Rule, checks

STATUSES = ("ok", "out_of_vocabulary", "unparseable", "refusal", "content_filter", "error", "missing")
NOT_RECEIVED = ("content_filter", "error", "missing")
MIN_PARSE_RATE = 0.9
ENOUGH_TO_VARY = 20
ENOUGH_OF_A_CLASS = 20
MAX_SHARE_OF_A_LABEL = 0.9
READ_AGAIN = "Read the replies again (materialize `answers` alone); if it stays, it is a fault of the parser."
LOOK = "Look at replies with `eve sql`: a prompt that is not understood, a model that is not loaded right, or a true bias."

ANSWER_CHECKS: Final = {
    "status_known": Rule("every status is one of the seven", READ_AGAIN),
    "one_row_per_request": Rule("no request has two rows of one parser", READ_AGAIN),
    "ok_has_label": Rule("an answer that is ok has a label", READ_AGAIN),
    "ok_label_in_list": Rule("an answer's label is in the list that was asked", READ_AGAIN),
    "parse_rate": Rule(f"{MIN_PARSE_RATE:.0%} of the replies name an emotion", LOOK, "warning"),
    "none_missing": Rule("no request is without a good reply", "Run the cell again: only what has no good reply is asked.", "warning"),
    "labels_vary": Rule(f"from {ENOUGH_TO_VARY} answers on, not all are the same", LOOK, "warning"),
    "not_stuck_on_one_label": Rule(
        f"from {ENOUGH_TO_VARY} answers on, none makes up more than {MAX_SHARE_OF_A_LABEL:.0%}, unless the truth does", LOOK, "warning"
    ),
    "no_class_vanished": Rule(f"each label that {ENOUGH_OF_A_CLASS} images or more have is answered at least once", LOOK, "warning"),
}
"""The rules of the suite by name."""


def answers_suite(labels: Labels, n_requests: int, truth: Mapping[str, int] | None = None, commonest: str | None = None) -> list[Check]:
    """Return the checks of table `answers` for one cell.

    Args:
        labels: what an answer may be.
        n_requests: rows; from 20 on, the labels must vary.
        truth: how many of the images have which label.
        commonest: the most frequent answer.
    """
    import great_expectations.expectations as gx
    from great_expectations.expectations.row_conditions import Column

    request, truth = ["config_digest", "subset", "dataset", "image_id", "repeat", "parser_version"], truth or {}
    status, is_ok = Column("status"), Column("status") == "ok"
    parsed = {"value_set": ["ok", "out_of_vocabulary"], "mostly": MIN_PARSE_RATE}
    may_be_stuck = n_requests < ENOUGH_TO_VARY or truth.get(commonest or "", 0) > MAX_SHARE_OF_A_LABEL * sum(truth.values())
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
        "not_stuck_on_one_label": None
        if may_be_stuck or commonest is None
        else gx.ExpectColumnValuesToNotBeInSet(column="label", value_set=[commonest], mostly=1 - MAX_SHARE_OF_A_LABEL, row_condition=is_ok),
        "no_class_vanished": gx.ExpectColumnDistinctValuesToContainSet(
            column="label", value_set=[label for label in labels if truth.get(label, 0) >= ENOUGH_OF_A_CLASS], row_condition=is_ok
        ),
    }
    return checks(expectations, ANSWER_CHECKS)
