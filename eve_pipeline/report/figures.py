"""The report's figures; each takes the rows of one part of its section, and all of its rows, so that parts share their axes."""

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from eve_pipeline.report.style import BLUE, FAINT, GREEN, GRID, INK, ORANGE, PAPER, PURPLE, SKY, YELLOW, series_look

if TYPE_CHECKING:
    import altair as alt

WIDTH = 220
DARK = 0.55
SHARE_WITH_A_NAME = 0.18
STATUSES = {
    "ok": BLUE, "out_of_vocabulary": SKY, "unparseable": YELLOW, "refusal": ORANGE, "content_filter": PURPLE, "error": INK, "missing": GRID,
}  # fmt: skip
LIGHT = ["II", "undetermined", "out_of_vocabulary", "unparseable", "missing"]
"""What stands on a light colour."""

CATEGORIES = {"I": ORANGE, "II": YELLOW, "III": BLUE, "undetermined": GRID}


class Measure(NamedTuple):
    """The column that dots stand at, beside `ci_low` and `ci_high`; its title; where there is no difference, if anywhere."""

    field: str
    title: str
    zero: float | None = 0


class Stack(NamedTuple):
    """The column that divides a bar, the bar's title, and each part's colour, in order."""

    field: str
    title: str
    colours: dict[str, str]


def _names(field: str, order: list[str] | None = None) -> "alt.Y":
    import altair as alt

    return alt.Y(f"{field}:N", title=None, sort=order, axis=alt.Axis(ticks=False, domain=False, labelPadding=6, grid=False))


def _dots_with_intervals(rows: pl.DataFrame, whole: pl.DataFrame, measure: Measure, y: "alt.Y") -> "alt.TopLevelMixin":
    """Return a dot and its 95 % interval a row; a dashed line where nothing differs."""
    import altair as alt

    x, title, zero = measure
    spread = [value for name in (x, "ci_low", "ci_high") for value in whole[name].drop_nulls().to_list()] + ([] if zero is None else [zero])
    margin = 0.05 * ((max(spread) - min(spread)) or 0.1) if spread else 0
    domain = [min(spread) - margin, max(spread) + margin] if spread else [0, 1]
    scale, axis = alt.Scale(domain=domain, nice=False), alt.Axis(tickCount=5, format=".3~f")
    base = alt.Chart(rows).encode(y)
    layers = [
        base.mark_rule(color=BLUE, strokeWidth=2).encode(alt.X("ci_low:Q", scale=scale, axis=axis, title=title), x2="ci_high:Q"),
        base.mark_point(color=BLUE, fill=BLUE, size=60, opacity=1).encode(alt.X(f"{x}:Q", scale=scale, axis=axis, title=title)),
    ]
    if zero is not None:
        line = alt.Chart(pl.DataFrame({"zero": [zero]})).mark_rule(color=FAINT, strokeDash=[4, 3])
        layers.insert(0, line.encode(alt.X("zero:Q", scale=scale, axis=axis, title=title)))
    return alt.layer(*layers).properties(width=WIDTH, height=alt.Step(24))


def leaderboard(rows: pl.DataFrame, whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return weighted F1 of each model with its interval, the best first."""
    return _dots_with_intervals(
        rows, whole, Measure("weighted_f1", "weighted F1 (95 % interval)", None), _names("model", rows["model"].to_list())
    )


def prompt_effects(rows: pl.DataFrame, whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return the change of weighted F1 from the plain prompt for each prompt, with its interval."""
    order = rows.sort("delta", descending=True)["prompt"].to_list()
    return _dots_with_intervals(rows, whole, Measure("delta", "change of weighted F1 from simple"), _names("prompt", order))


def sentiment_bias(rows: pl.DataFrame, whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return the sentiment bias of each model under each prompt of the section, with its interval."""
    return _dots_with_intervals(rows, whole, Measure("sentiment_bias", "too dark  <  sentiment bias  >  too bright"), _names("prompt"))


def position_effects(rows: pl.DataFrame, whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return the effect of each position in the list on the log-odds of being chosen, with its interval."""
    ordered = rows.sort("position").with_columns(pl.format("position {}", "position").alias("place"))
    measure = Measure("effect", "effect on log-odds of being chosen")
    return _dots_with_intervals(ordered, whole, measure, _names("place", ordered["place"].to_list()))


def label_shares(rows: pl.DataFrame, whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return the change of each label's share between two orders of the labels, with its interval."""
    order = rows.sort("effect", descending=True)["label"].to_list()
    return _dots_with_intervals(rows, whole, Measure("effect", "change of the label's share"), _names("label", order))


def _stacked(rows: pl.DataFrame, whole: pl.DataFrame, y: str, stack: Stack) -> "alt.TopLevelMixin":
    """Return a bar of shares a name; parts that are wide enough carry their names."""
    import altair as alt

    part, title, colours = stack
    kinds = [kind for kind in colours if kind in set(whole[part])]
    places = pl.DataFrame({part: kinds, "order": range(len(kinds))}, {part: pl.String, "order": pl.Int64})
    known = rows.join(places, on=part).sort(y, "order").with_columns(end=pl.col("share").cum_sum().over(y))
    middle = known.with_columns(at=pl.col("end") - pl.col("share") / 2).filter(pl.col("share") >= SHARE_WITH_A_NAME)
    scale = alt.Scale(domain=kinds, range=[colours[kind] for kind in kinds])
    x = alt.X(
        "share:Q", stack="zero", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
    )
    bars = (
        alt.Chart(known)
        .mark_bar(stroke=PAPER, strokeWidth=1)
        .encode(_names(y), x, alt.Color(f"{part}:N", scale=scale, title=None), order="order:O")
    )
    ink = alt.condition(alt.FieldOneOfPredicate(part, LIGHT), alt.value(INK), alt.value(PAPER))
    names = alt.Chart(middle).mark_text(fontSize=10).encode(_names(y), x="at:Q", text=f"{part}:N", color=ink)
    return alt.layer(bars, names).properties(width=WIDTH, height=alt.Step(22))


def error_categories(rows: pl.DataFrame, whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return the shares of each model's wrong answers in the error categories."""
    return _stacked(rows, whole, "model", Stack("category", "share of wrong answers", CATEGORIES))


def coverage(rows: pl.DataFrame, whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return what became of the requested items of each prompt."""
    return _stacked(rows, whole, "prompt", Stack("status", "share of requested items", STATUSES))


def confusion(rows: pl.DataFrame, _whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return the share of each truth's items that was answered with each label, in percent."""
    import altair as alt

    said = sorted({*rows["truth"], *rows["predicted"]} - {"__none__"}) + (["no answer"] if "__none__" in set(rows["predicted"]) else [])
    cells = rows.with_columns(
        pl.col("predicted").replace("__none__", "no answer"), percent=(100 * pl.col("share_of_truth")).round().cast(pl.Int64)
    )
    x = alt.X(
        "predicted:N", title="answered", scale=alt.Scale(domain=said), axis=alt.Axis(labelAngle=-60, ticks=False, domain=False, grid=False)
    )
    y = alt.Y("truth:N", title="truth", axis=alt.Axis(ticks=False, domain=False, grid=False))
    base = alt.Chart(cells).encode(x, y)
    colour = alt.Color("share_of_truth:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), legend=None)
    ink = alt.condition(f"datum.share_of_truth > {DARK}", alt.value(PAPER), alt.value(INK))
    square = alt.Step(27)
    layers = (
        base.mark_rect(stroke=PAPER, strokeWidth=1).encode(color=colour),
        base.mark_text(fontSize=10).encode(text="percent:Q", color=ink),
    )
    return alt.layer(*layers).properties(width=square, height=square)


def open_vocabulary(rows: pl.DataFrame, whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return the share of answers that are read as a label, and weighted F1, by threshold, with intervals; the line is the default."""
    import altair as alt

    models = sorted(set(whole["model"]))
    looks = zip(*(series_look(number) for number in range(len(models))), strict=True)
    colour, shape, dash = (
        channel("model:N", title=None, scale=alt.Scale(domain=models, range=list(look)))
        for channel, look in zip((alt.Color, alt.Shape, alt.StrokeDash), looks, strict=True)
    )
    x = alt.X("threshold:Q", title="threshold of similarity", scale=alt.Scale(domain=[0.3, 0.9], nice=False), axis=alt.Axis(tickCount=4))
    default = alt.Chart(rows.filter("is_default").head(1)).mark_rule(color=FAINT, strokeDash=[4, 3]).encode(x)
    panels = []
    for column, title in (("fine_grained_rate", "read as a label"), ("weighted_f1", "weighted F1")):
        y = alt.Y(f"{column}:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=4, format=".2f"))
        base = alt.Chart(rows).encode(x, y, colour)
        points = base.mark_point(filled=True, size=45, opacity=1).encode(shape=shape)
        band = base.mark_area(opacity=0.15).encode(alt.Y(f"{column}_low:Q", title=title), y2=f"{column}_high:Q")
        panels.append(alt.layer(default, base.mark_line(strokeWidth=1.5).encode(dash), points, band).properties(width=WIDTH, height=110))
    return alt.vconcat(*panels, spacing=12)


def calibration(rows: pl.DataFrame, whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return the share that is right by confidence, with intervals, against the diagonal of a model as right as it is sure."""
    import altair as alt

    share, percent = alt.Scale(domain=[0, 1], nice=False), alt.Axis(format="%", tickCount=5)
    x = alt.X("mean_confidence:Q", title="confidence", scale=share, axis=percent)
    y = alt.Y("accuracy:Q", title="right", scale=share, axis=percent)
    diagonal = alt.Chart(pl.DataFrame({"mean_confidence": [0.0, 1.0], "accuracy": [0.0, 1.0]})).mark_line(color=FAINT, strokeDash=[4, 3])
    size = alt.Size("n:Q", title="answers", scale=alt.Scale(domain=[0, whole.select(pl.max("n")).item()]), legend=alt.Legend(tickCount=3))
    dots = alt.Chart(rows).mark_circle(color=BLUE, opacity=0.9).encode(x, y, size)
    lines = (
        alt.Chart(rows)
        .mark_rule(color=BLUE)
        .encode(x, alt.Y("accuracy_low:Q", scale=share, axis=percent, title="right"), y2="accuracy_high:Q")
    )
    return alt.layer(diagonal.encode(x, y), lines, dots).properties(width=WIDTH - 30, height=WIDTH - 30)


def latency(rows: pl.DataFrame, _whole: pl.DataFrame) -> "alt.TopLevelMixin":
    """Return the median latency of each model with the span to its 90th percentile."""
    import altair as alt

    base = alt.Chart(rows).encode(_names("model"))
    title = "median to 90th percentile (s)"
    seconds = alt.X("p50_s:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    rule = base.mark_rule(color=GREEN, strokeWidth=2).encode(seconds, x2="p90_s:Q")
    return alt.layer(rule, base.mark_point(color=GREEN, fill=GREEN, size=60, opacity=1).encode(seconds)).properties(
        width=WIDTH, height=alt.Step(24)
    )
