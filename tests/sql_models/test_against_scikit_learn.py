"""Every number of the marts, recomputed from the same rows by scikit-learn, scipy and plain Python."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from eve_pipeline.emotions.affect import affect_schemes
from eve_pipeline.settings import Settings

CELL = ("model", "dataset", "subset", "prompt")
FAILURES = {"error", "missing"}

Row = dict[str, object]
Mart = Callable[[str], pl.DataFrame]
Cells = dict[tuple[str, ...], list[Row]]
Scheme = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def cells(images: pl.DataFrame, current_answers: pl.DataFrame) -> Cells:
    """The current answers of each cell, with what is known of their images."""
    truths = images.select("dataset", "image_id", "valence", "arousal", "rating_min", "rating_max", "neutral_band", truth="label")
    grouped: Cells = defaultdict(list)
    for row in current_answers.join(truths, on=["dataset", "image_id"]).iter_rows(named=True):
        grouped[tuple(row[name] for name in CELL)].append(row)
    return grouped


@pytest.fixture(scope="module")
def schemes(sql_settings: Settings) -> dict[str, Scheme]:
    rows: dict[str, Scheme] = defaultdict(dict)
    for row in affect_schemes(sql_settings).iter_rows(named=True):
        rows[row["scheme"]][row["emotion"]] = {"sentiment": row["sentiment"], "arousal": row["arousal"]}
    return rows


def assert_same(actual: pl.DataFrame, expected: list[Row], *key: str) -> None:
    wanted = pl.DataFrame(expected, infer_schema_length=None)
    assert_frame_equal(
        actual.select(wanted.columns).sort(*CELL, *key), wanted.sort(*CELL, *key), check_dtypes=False, rel_tol=0, abs_tol=1e-9
    )


def scored(rows: list[Row], scoring: str) -> list[Row]:
    return [row for row in rows if row["status"] == "ok" or (scoring == "strict" and row["status"] not in FAILURES)]


def measures(items: list[Row], scoring: str, truth: str, predicted: str) -> Row:
    """The measures of F1 marts for items with a truth; non-answers enter as a string that no class has."""
    rows = scored(items, scoring)
    truths = [row[truth] for row in rows]
    predictions = [row[predicted] if row["status"] == "ok" else "__none__" for row in rows]
    labels = sorted(set(truths))
    n_answered = len(scored(items, "answered"))
    averages = {
        f"{average}_f1": f1_score(truths, predictions, labels=labels, average=average, zero_division=0) if rows else None
        for average in ("weighted", "macro")
    }
    return {
        "scoring": scoring,
        "n_items": len(items),
        "n": len(rows),
        "n_answered": n_answered,
        "coverage": n_answered / len(items),
        "is_complete": is_complete(items),
        **averages,
        "n_classes": len(labels),
        "accuracy": accuracy_score(truths, predictions) if rows else None,
    }


def rating_side(row: Row, dimension: str) -> str | None:
    rating = row["valence" if dimension == "sentiment" else "arousal"]
    if rating is None:
        return None
    distance = rating - (row["rating_min"] + row["rating_max"]) / 2
    if dimension == "arousal":
        return "high" if distance >= 0 else "low"
    if abs(distance) <= (row["neutral_band"] or 0):
        return "none"
    return "positive" if distance > 0 else "negative"


def with_sides(rows: list[Row], scheme: Scheme, dimension: str) -> list[Row]:
    return [
        row
        | {
            "truth_side": scheme.get(row["truth"], {}).get(dimension) if row["truth"] else rating_side(row, dimension),
            "predicted_side": scheme.get(row["label"], {}).get(dimension, "none"),
        }
        for row in rows
    ]


def is_complete(rows: list[Row]) -> bool:
    return not any(row["status"] in FAILURES for row in rows)


def of_cells(cells: Cells) -> Iterator[tuple[Row, list[Row]]]:
    for key, rows in cells.items():
        yield dict(zip(CELL, key, strict=True)), rows


def test_weighted_f1(mart: Mart, cells: Cells) -> None:
    expected = [
        cell | measures(items, scoring, "truth", "label")
        for cell, rows in of_cells(cells)
        if (items := [row for row in rows if row["truth"]])
        for scoring in ("strict", "answered")
    ]
    assert any(row["n"] == 0 and row["weighted_f1"] is None for row in expected)
    assert_same(mart("weighted_f1"), expected, "scoring")


def test_affect_f1(mart: Mart, cells: Cells, schemes: dict[str, Scheme]) -> None:
    expected = [
        cell | {"scheme": name, "dimension": dimension} | measures(items, scoring, "truth_side", "predicted_side")
        for cell, rows in of_cells(cells)
        for name, scheme in schemes.items()
        for dimension in ("sentiment", "arousal")
        if (items := [row for row in with_sides(rows, scheme, dimension) if row["truth_side"] not in {None, "none"}])
        for scoring in ("strict", "answered")
    ]
    assert {row["dataset"] for row in expected} == {"labelled", "rated", "mixed"}
    assert_same(mart("affect_f1"), expected, "scheme", "dimension", "scoring")


def per_class(rows: list[Row]) -> Iterator[Row]:
    truths = [row["truth"] for row in rows]
    predictions = [row["label"] or "__none__" for row in rows]
    labels = sorted({*truths, *predictions} - {"__none__"})
    numbers = precision_recall_fscore_support(truths, predictions, labels=labels, zero_division=0)
    for label, precision, recall, f1, support in zip(labels, *map(list, numbers), strict=True):
        yield {
            "label": label,
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": support,
            "n_predicted": predictions.count(label),
        }


def test_per_class_f1(mart: Mart, cells: Cells) -> None:
    expected = [
        cell | {"scoring": scoring, "is_complete": is_complete(rows)} | scores
        for cell, rows in of_cells(cells)
        for scoring in ("strict", "answered")
        if (items := scored([row for row in rows if row["truth"]], scoring))
        for scores in per_class(items)
    ]
    assert any(row["support"] == 0 for row in expected)
    assert_same(mart("per_class_f1"), expected, "label", "scoring")


def test_confusion(mart: Mart, cells: Cells) -> None:
    expected = []
    for cell, rows in of_cells(cells):
        items = scored([row for row in rows if row["truth"]], "strict")
        truths = Counter(row["truth"] for row in items)
        for (truth, predicted), n in Counter((row["truth"], row["label"] or "__none__") for row in items).items():
            share = {"share_of_truth": n / truths[truth], "is_complete": is_complete(rows)}
            expected.append(cell | {"truth": truth, "predicted": predicted, "n": n} | share)
    assert_same(mart("confusion"), expected, "truth", "predicted")


def test_sentiment_bias(mart: Mart, cells: Cells, schemes: dict[str, Scheme]) -> None:
    expected = []
    for cell, rows in of_cells(cells):
        for name, scheme in schemes.items():
            answered = scored(with_sides(rows, scheme, "sentiment"), "answered")
            pairs = [(row["truth_side"], row["predicted_side"]) for row in answered]
            determined = Counter(pair for pair in pairs if set(pair) <= {"positive", "negative"})
            n, brighter, darker = determined.total(), determined["negative", "positive"], determined["positive", "negative"]
            expected.append(
                cell
                | {
                    "scheme": name,
                    "n": n,
                    "n_negative_as_positive": brighter,
                    "n_positive_as_negative": darker,
                    "sentiment_bias": (brighter - darker) / n if n else None,
                    "n_undetermined": len(pairs) - n,
                    "mcnemar_p": exact_mcnemar(answered),
                    "is_complete": is_complete(rows),
                }
            )
    assert any(row["sentiment_bias"] is None for row in expected)
    assert_same(mart("sentiment_bias"), expected, "scheme")


def exact_mcnemar(answered: list[Row]) -> float | None:
    """Test the two kinds of error where no image has two answers with a sentiment on both sides."""
    pairs = [(row["image_id"], row["truth_side"], row["predicted_side"]) for row in answered]
    determined = [pair for pair in pairs if set(pair[1:]) <= {"positive", "negative"}]
    if len(determined) < 2 or len({image for image, *_ in determined}) < len(determined):
        return None
    errors = [said for _, of, said in determined if of != said]
    return binomtest(errors.count("positive"), len(errors)).pvalue if errors else 1.0


def category(row: Row, scheme: Scheme) -> str:
    truth, predicted = scheme.get(row["truth"]), scheme.get(row["label"])
    if not truth or not predicted or "none" in {truth["sentiment"], predicted["sentiment"]}:
        return "undetermined"
    if truth["sentiment"] != predicted["sentiment"]:
        return "I"
    return "II" if truth["arousal"] != predicted["arousal"] else "III"


def test_error_categories(mart: Mart, cells: Cells, schemes: dict[str, Scheme]) -> None:
    expected = []
    for cell, rows in of_cells(cells):
        labelled = [row for row in rows if row["truth"]]
        wrong = [row for row in scored(labelled, "answered") if row["label"] != row["truth"]]
        for name, scheme in schemes.items() if labelled else ():
            counts = Counter(category(row, scheme) for row in wrong)
            for which in ("I", "II", "III", "undetermined"):
                share = counts[which] / len(wrong) if wrong else None
                row = {"scheme": name, "category": which, "n": counts[which], "share": share, "is_complete": is_complete(rows)}
                expected.append(cell | row)
    assert_same(mart("error_categories"), expected, "scheme", "category")


def test_coverage(mart: Mart, cells: Cells) -> None:
    statuses = ("ok", "out_of_vocabulary", "unparseable", "refusal", "content_filter", "error", "missing")
    expected = []
    for cell, rows in of_cells(cells):
        counts = Counter(row["status"] for row in rows)
        expected.append(
            cell
            | {"n_items": len(rows), "n_labelled": sum(bool(row["truth"]) for row in rows)}
            | {f"n_{status}": counts[status] for status in statuses}
            | {"coverage": counts["ok"] / len(rows), "is_complete": is_complete(rows)}
        )
    assert_same(mart("coverage"), expected)
