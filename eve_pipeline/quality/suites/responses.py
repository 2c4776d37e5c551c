"""What the replies to what a cell asks today are expected to hold."""

from typing import Final

import polars as pl

from eve_pipeline.quality.checking import Check, Rule, checks

MIN_COVERAGE = 0.95
MIN_WHOLE = 0.95
MAX_LATENCY_MS = 600_000
MAX_PROMPT_TOKENS = 131_072
MAX_COMPLETION_TOKENS = 65_536
MAX_COST_USD = 1.0
ASK_AGAIN = "Run the cell again: only what has no good reply is asked."
SERVER = "See what the server sends; it is stored as it came."

RESPONSE_CHECKS: Final = {
    "delivery_known": Rule("delivery is received, content_filter, error, or missing where no reply came", "Move the odd part away."),
    "coverage": Rule(f"{MIN_COVERAGE:.0%} of the requests have a good reply", ASK_AGAIN, "warning"),
    "text_where_received": Rule("what was received has a text", SERVER),
    "error_says_why": Rule("an error says what went wrong", SERVER, "warning"),
    "finish_reason_present": Rule("each row that was asked for and received has one finish reason", SERVER, "warning"),
    "not_cut_off": Rule(f"{MIN_WHOLE:.0%} of the replies end before their length limit", "Raise max_new_tokens of the entry.", "warning"),
    "latency_bounds": Rule(f"0 to {MAX_LATENCY_MS:,} ms a reply", "See whether the server was overloaded.", "warning"),
    "prompt_tokens_bounds": Rule(f"1 to {MAX_PROMPT_TOKENS:,} tokens a prompt", SERVER, "warning"),
    "completion_tokens_bounds": Rule(f"0 to {MAX_COMPLETION_TOKENS:,} tokens a reply", SERVER, "warning"),
    "cost_bounds": Rule(f"0 to {MAX_COST_USD:g} USD a reply", "Check the prices of the model's entry.", "warning"),
    "served_model_known": Rule("the server says which model replied", "Pin the model another way: the server does not tell.", "warning"),
}
"""The rules of the suite by name."""


def response_rows(requests: pl.DataFrame, configs: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each reply that a cell's current configs ask for (image_id, origin, the columns of `responses`), each key once.

    `delivery` is `missing` where no reply is stored.
    """
    current = requests.join(configs.filter("is_current"), on="config_digest", how="semi").unique("request_key", maintain_order=True)
    rows = current.select("image_id", "origin", "request_key").join(responses, on="request_key", how="left")
    return rows.with_columns(pl.col("delivery").fill_null("missing")).drop("created_at", "logprobs")


def responses_suite() -> list[Check]:
    """Return the checks of `response_rows` of one cell; what other tools imported need not say how it ended or who replied."""
    import great_expectations.expectations as gx
    from great_expectations.expectations.row_conditions import Column

    received = Column("delivery") == "received"
    asked = received & (Column("origin") == "asked")
    good = ["received", "content_filter"]
    between = {
        "latency_bounds": ("latency_ms", 0, MAX_LATENCY_MS),
        "prompt_tokens_bounds": ("prompt_tokens", 1, MAX_PROMPT_TOKENS),
        "completion_tokens_bounds": ("completion_tokens", 0, MAX_COMPLETION_TOKENS),
        "cost_bounds": ("cost_usd", 0, MAX_COST_USD),
    }
    expectations = {
        "delivery_known": gx.ExpectColumnValuesToBeInSet(column="delivery", value_set=[*good, "error", "missing"]),
        "coverage": gx.ExpectColumnValuesToBeInSet(column="delivery", value_set=good, mostly=MIN_COVERAGE),
        "text_where_received": gx.ExpectColumnValuesToNotBeNull(column="text", row_condition=received),
        "error_says_why": gx.ExpectColumnValuesToNotBeNull(column="error", row_condition=Column("delivery") == "error"),
        "finish_reason_present": gx.ExpectColumnValuesToNotBeNull(column="finish_reason", row_condition=asked),
        "not_cut_off": gx.ExpectColumnValuesToNotBeInSet(column="finish_reason", value_set=["length"], mostly=MIN_WHOLE),
        "served_model_known": gx.ExpectColumnValuesToNotBeNull(column="served_model", row_condition=asked),
    } | {
        name: gx.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high)
        for name, (column, low, high) in between.items()
    }
    return checks(expectations, RESPONSE_CHECKS)
