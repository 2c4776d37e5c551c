"""Run a suite over a frame. Great Expectations does the checking; nothing of it is kept or sent anywhere."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import polars as pl
import polars.selectors as cs

if TYPE_CHECKING:
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations import Expectation

N_EXAMPLES = 5
NOTHING_TO_CHECK = "nothing to check here"
Severity = Literal["error", "warning"]


class Rule(NamedTuple):
    """What a check expects of a table, what to do where that does not hold, and how bad it is; known without Great Expectations."""

    expects: str
    to_do: str
    severity: Severity = "error"


Rules = Mapping[str, Rule]


class Check(NamedTuple):
    """One expectation by the name of its rule; None where the rule says nothing about this frame, which passes."""

    name: str
    expectation: "Expectation | None"
    severity: Severity = "error"


class CheckResult(NamedTuple):
    """What came of one check.

    `n_checked` counts rows; `n_unexpected` counts rows, or absent values where a column lacks some, and is None where a figure of the whole
    table is out of its bounds. `examples` has up to five of them.
    """

    name: str
    passed: bool
    severity: Severity
    n_checked: int
    n_unexpected: int | None
    examples: tuple[str, ...]
    message: str


def checks(expectations: "Mapping[str, Expectation | None]", rules: Rules) -> list[Check]:
    """Return a check for each rule, in order; every rule has an expectation and every expectation a rule."""
    assert expectations.keys() == rules.keys()  # noqa: S101 - a suite is wrong as a whole
    return [Check(name, expectations[name], rule.severity) for name, rule in rules.items()]


def run_suite(frame: pl.DataFrame, suite: Sequence[Check]) -> list[CheckResult]:
    """Return the result of each check, in order, on a frame that has a column image_id; lists and structs are not checked.

    Raises:
        RuntimeError: an expectation could not be evaluated, which says nothing about the data.
    """
    validations = _validated(frame, {check.name: check.expectation for check in suite if check.expectation is not None})
    return [
        CheckResult(check.name, True, check.severity, frame.height, 0, (), NOTHING_TO_CHECK)
        if check.expectation is None
        else _result(check, validations[check.name], frame.height)
        for check in suite
    ]


def _validated(frame: pl.DataFrame, expectations: "Mapping[str, Expectation]") -> dict[str, Any]:
    """Validate all at once, which takes half as long as one by one; the results come in another order."""
    from great_expectations import ExpectationSuite

    named = [expectation.copy(update={"meta": {"check": name}}) for name, expectation in expectations.items()]
    result_format = {"result_format": "SUMMARY", "partial_unexpected_count": N_EXAMPLES, "unexpected_index_column_names": ["image_id"]}
    found = _batch(frame).validate(ExpectationSuite("checks", expectations=named), result_format=result_format)
    return {result.expectation_config.meta["check"]: result for result in found.results}


def _batch(frame: pl.DataFrame) -> "Batch":
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig

    config = DataContextConfig(
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
    )
    source = gx.get_context(mode="ephemeral", project_config=config).data_sources.add_pandas("frame")
    flat = frame.select(~cs.nested()).to_pandas()
    return source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all").get_batch({"dataframe": flat})


def _result(check: Check, validation: Any, n_rows: int) -> CheckResult:  # noqa: ANN401 - Great Expectations is seen without its types
    _raise_if_raised(check, validation.exception_info)
    found: Mapping[str, Any] = validation.result
    passed, n_checked = bool(validation.success), int(found.get("element_count", n_rows))
    n_unexpected: int | None
    if "element_count" in found and "unexpected_count" in found:
        n_unexpected, examples = found["unexpected_count"], found["partial_unexpected_index_list"] or found["partial_unexpected_list"]
        message = _counted(n_unexpected, n_checked, passed=passed)
    elif "partial_missing_list" in found:
        n_unexpected, examples, message = _set_difference(found)
    elif "details" in found:
        n_unexpected, (examples, message) = 0 if passed else None, _shares(found)
    else:
        n_unexpected, examples, message = 0 if passed else None, [], f"found {_plain(found.get('observed_value'))}{_bounds(check)}"
    return CheckResult(check.name, passed, check.severity, n_checked, n_unexpected, tuple(map(_show, examples[:N_EXAMPLES])), message)


def _bounds(check: Check) -> str:
    low, high = (getattr(check.expectation, name, None) for name in ("min_value", "max_value"))
    if low is None or low == high:
        return "" if low is None else f", {_plain(low)} expected"
    return f", {_plain(low)} or more expected" if high is None else f", {_plain(low)} to {_plain(high)} expected"


def _counted(n_unexpected: int, n_checked: int, *, passed: bool) -> str:
    if not n_unexpected:
        return f"all {n_checked:,} rows are as expected" if n_checked else NOTHING_TO_CHECK
    return f"{n_unexpected:,} of {n_checked:,} rows are not as expected" + (", which is few enough" if passed else "")


def _set_difference(found: Mapping[str, Any]) -> tuple[int, list[object], str]:
    n_absent, n_more = found["missing_count"], found.get("unexpected_count", 0)
    examples = [*(f"absent: {value}" for value in found["partial_missing_list"]), *found.get("partial_unexpected_list", ())]
    more = f"; not expected, but there: {n_more:,}" if n_more else ""
    absent = f"expected, but absent: {n_absent:,}" if n_absent else "all expected values are there"
    return n_absent + n_more, examples, f"{absent}{more}"


def _shares(found: Mapping[str, Any]) -> tuple[list[object], str]:
    """Name the values whose shares differ most from those expected."""
    observed, expected = (found["details"][f"{kind}_partition"] for kind in ("observed", "expected"))
    shares = zip(observed["values"], expected["weights"], observed["weights"], strict=True)
    moved = sorted(shares, key=lambda one: -abs(one[1] - one[2]))
    n_nats = found["observed_value"]  # None where a value is there that cannot be, or none at all
    divergence = "the shares cannot be compared" if n_nats is None else f"Kullback-Leibler divergence {n_nats:.3f} nats"
    return [f"{value}: {was:.3f} expected, {now:.3f} found" for value, was, now in moved if abs(was - now) > 0], divergence


def _plain(value: object) -> str:
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)


def _show(example: object) -> str:
    return ", ".join(f"{name}={value}" for name, value in example.items()) if isinstance(example, dict) else str(example)


def _raise_if_raised(check: Check, exceptions: Mapping[str, Any]) -> None:
    # One expectation's own record, or one a metric it needed.
    records = [exceptions] if "raised_exception" in exceptions else list(exceptions.values())
    for record in records:
        if record["raised_exception"]:
            raise RuntimeError(
                f"Check {check.name!r} could not be evaluated: {record['exception_message']}\n{record['exception_traceback']}"
            )
