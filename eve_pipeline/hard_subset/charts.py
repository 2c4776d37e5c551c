"""Pictures of a scoring as PNG: how the training went, how honest the probabilities are, what other thresholds would call hard."""

from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from eve_pipeline.hard_subset.calibration import N_BINS, Calibration
from eve_pipeline.hard_subset.shares import ALL

if TYPE_CHECKING:
    import altair as alt

PAPER, INK, FAINT, GRID = "#fbfaf7", "#26241f", "#8d887c", "#e8e4da"
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"  # Okabe and Ito's: told apart by everybody
PARTS = {"training": BLUE, "validation": GREEN, "held out": ORANGE}


def training_curves(curves: pl.DataFrame) -> bytes:
    """Return loss and accuracy by epoch (`scoring.OutOfFold`): thin lines are trainings, thick ones their mean, dots held-out folds."""
    import altair as alt

    panels = alt.hconcat(
        _curve_panel(curves, "loss", "Cross-entropy (nats)", 1.05 * max(curves["loss"])),
        _curve_panel(curves, "accuracy", "Accuracy", 1, "%"),
        spacing=24,
    )
    n = curves["training"].n_unique()
    return _png(
        panels, f"{n} training{'s' if n > 1 else ''}", "Thin line: one training. Thick: their mean. Dot: the images that one held out."
    )


def reliability_diagram(bins: pl.DataFrame, calibration: Calibration) -> bytes:
    """Return accuracy by confidence (`calibration.reliability`) against the diagonal, and how many images each bin holds."""
    import altair as alt

    whole, percent = alt.Scale(domain=[0, 1], nice=False), alt.Axis(format="%", tickCount=5)
    x = alt.X("confidence:Q", title="Probability of the predicted label", scale=whole, axis=percent)
    y = alt.Y("accuracy:Q", title="Predicted right", scale=whole, axis=percent)
    diagonal = alt.Chart(pl.DataFrame({"confidence": [0.0, 1.0], "accuracy": [0.0, 1.0]})).encode(x, y)
    dots = alt.Chart(bins).encode(x, y)
    name = alt.Chart(pl.DataFrame({"confidence": [0.87], "accuracy": [0.81], "name": ["as right as sure"]})).encode(x, y, text="name:N")
    panel = alt.layer(
        diagonal.mark_line(color=FAINT, strokeDash=[4, 4]),
        name.mark_text(color=FAINT, angle=315, fontSize=11),
        dots.mark_rule(color=ORANGE, strokeWidth=2).encode(y2="confidence:Q"),
        dots.mark_circle(color=BLUE, opacity=1, size=90),
    )
    edges = bins.with_columns(low=pl.col("bin") / N_BINS, high=(pl.col("bin") + 1) / N_BINS, zero=0)
    low = alt.X("low:Q", title=None, scale=whole, axis=alt.Axis(labels=False, tickCount=5, ticks=False))
    bars = (
        alt.Chart(edges)
        .mark_bar(color=BLUE, opacity=0.85, stroke=PAPER)
        .encode(low, alt.X2("high:Q"), alt.Y("n:Q", title="Images", axis=alt.Axis(tickCount=3)), alt.Y2("zero:Q"))
    )
    chart = alt.vconcat(bars.properties(width=300, height=60), panel.properties(width=300, height=300), spacing=10)
    _, brier, nll = calibration
    return _png(chart, f"Expected calibration error {calibration.ece:.3f}", f"Brier score {brier:.3f}, negative log likelihood {nll:.3f}")


def threshold_chart(sweep: pl.DataFrame, threshold: float) -> bytes:
    """Return the share of each label that would be hard by threshold (`shares.sweep_thresholds`); the one in use is framed."""
    import altair as alt

    hardest = sweep.sort(pl.col("threshold") == threshold, "hard_rate", descending=True)
    order = [ALL, *(label for label in hardest["label"].unique(maintain_order=True) if label != ALL)]
    cells = sweep.with_columns(pl.col("threshold").cast(pl.String), percent=(100 * pl.col("hard_rate")).round().cast(pl.Int64))
    x = alt.X("threshold:O", title="Hard where p_true is below", axis=alt.Axis(labelAngle=0, ticks=False, domain=False))
    y = alt.Y("label:N", title=None, sort=order, axis=alt.Axis(ticks=False, domain=False, labelPadding=8))
    colour = alt.Color("hard_rate:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), legend=None)
    ink = alt.condition("datum.hard_rate > 0.55", alt.value(PAPER), alt.value(INK))
    base = alt.Chart(cells).encode(x, y)
    framed = base.transform_filter(f"datum.threshold == '{threshold}'").mark_rect(fillOpacity=0, stroke=ORANGE, strokeWidth=2)
    chart = alt.layer(
        base.mark_rect(stroke=PAPER, strokeWidth=2).encode(colour), framed, base.mark_text().encode(text="percent:Q", color=ink)
    )
    size = chart.properties(width=alt.Step(38), height=alt.Step(26))
    return _png(
        size,
        "What other thresholds would call hard",
        f"Images that are hard, in % of the label's. Framed: the threshold in use, {threshold}.",
    )


def _curve_panel(curves: pl.DataFrame, column: str, title: str, top: float, form: str = "") -> "alt.LayerChart | alt.FacetChart":
    """Return one panel of the training curves, its ordinate from 0 to `top`."""
    import altair as alt

    present = [part for part in PARTS if part in curves["part"]]
    colour = alt.Color("part:N", scale=alt.Scale(domain=present, range=[PARTS[part] for part in present]), legend=None)
    epochs = alt.Scale(domain=[1, max(2, *curves["epoch"])], nice=False)
    x = alt.X("epoch:Q", title="Epoch", scale=epochs, axis=alt.Axis(format="d", tickMinStep=1, tickCount=6))
    y = alt.Y(f"{column}:Q", title=title, scale=alt.Scale(domain=[0, top]), axis=alt.Axis(format=form, tickCount=5))
    lines, dots = curves.filter(pl.col("part") != "held out"), curves.filter(part="held out")
    means = lines.group_by("part", "epoch").agg(pl.col(column).mean()).sort("part", "epoch")
    ends = [means.group_by("part").last(), dots.group_by("part").agg(pl.col("epoch").max(), pl.col(column).mean())]
    names = alt.Chart(_apart(pl.concat(ends), column, 0.065 * top)).mark_text(align="left", dx=9, fontWeight="bold")
    return alt.layer(
        alt.Chart(lines).mark_line(strokeWidth=1, opacity=0.35).encode(x, y, colour, detail="training:N"),
        alt.Chart(means).mark_line(strokeWidth=2.5, point=max(lines["epoch"]) == 1).encode(x, y, colour),
        alt.Chart(dots).mark_circle(size=48, opacity=0.8).encode(x, y, colour),
        names.encode(x, alt.Y("place:Q", title=title), colour, text="part:N"),
    ).properties(width=225, height=210)


def _apart(ends: pl.DataFrame, column: str, gap: float) -> pl.DataFrame:
    """Return the ends of lines with the `place` of their names, moved down where two would touch."""
    ordered = ends.sort(column, descending=True)
    places: list[float] = []
    for value in ordered[column]:
        places.append(min(value, places[-1] - gap) if places else value)
    return ordered.with_columns(place=pl.Series(places, dtype=pl.Float64))


def _png(chart: "alt.LayerChart | alt.FacetChart | alt.HConcatChart | alt.VConcatChart", title: str, subtitle: str) -> bytes:
    import altair as alt

    heading = alt.TitleParams(
        title, subtitle=subtitle, anchor="start", fontSize=15, subtitleFontSize=11.5, subtitleColor=FAINT, color=INK, offset=14
    )
    styled = chart.properties(title=heading, background=PAPER, padding=18).configure_view(stroke=None)
    styled = styled.configure_axis(
        gridColor=GRID,
        domainColor=FAINT,
        tickColor=FAINT,
        labelColor=INK,
        titleColor=INK,
        titleFontWeight="normal",
        labelFontSize=11,
        titleFontSize=12,
    )
    buffer = BytesIO()
    styled.save(buffer, format="png", scale_factor=2)
    return buffer.getvalue()
