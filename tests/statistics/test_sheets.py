"""What each cell answered about each image, as arrays."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eve_pipeline.statistics.sheets import _profiles, read_subset, read_subsets
from tests.statistics.answers import answers, images, relation


def counted(sheet, subset):
    """How often a sheet has which outcome for which image, by name."""
    given_ = sheet.answers[sheet.profile]
    named = subset.outcomes.with_columns(pl.col("status", "predicted").cast(pl.String)).rows()
    return {(image, *named[outcome]): int(given_[image, outcome]) for image, outcome in zip(*np.nonzero(given_), strict=True)}


def test_repeats_of_an_image_are_one_profile():
    said = answers([("m", "p", "a", "awe"), ("m", "p", "a", "awe"), ("m", "p", "a", "fear"), ("m", "p", "b", "refusal")])
    (subset,) = read_subsets(relation(said), relation(images({"a": "awe", "b": "fear", "unasked": None})))
    (sheet,) = subset.sheets
    assert (subset.dataset, subset.subset, sheet.model, sheet.prompt) == ("d", "d", "m", "p")
    assert counted(sheet, subset) == {(0, "ok", "awe"): 2, (0, "ok", "fear"): 1, (1, "refusal", None): 1}
    assert subset.truths["truth"].gather(subset.truth).to_list() == ["awe", "fear", None]


def test_images_that_are_answered_alike_share_a_profile():
    said = answers([("m", "p", name, "awe") for name in "abc"] + [("m", "p", "d", "fear")])
    (subset,) = read_subsets(relation(said), relation(images(dict.fromkeys("abcd", "awe"))))
    assert subset.sheets[0].profile.tolist() in ([0, 0, 0, 1], [1, 1, 1, 0])
    assert len(subset.sheets[0].answers) == 2


def test_answers_about_images_that_are_gone_are_left_out():
    said = answers([("m", "p", "a", "awe"), ("m", "p", "gone", "awe")])
    (subset,) = read_subsets(relation(said), relation(images({"a": "awe"})))
    assert counted(subset.sheets[0], subset) == {(0, "ok", "awe"): 1}


@given(st.lists(st.tuples(st.sampled_from("mn"), st.just("p"), st.sampled_from("abc"), st.sampled_from(["awe", "fear", "refusal"]))))
def test_batches_do_not_matter(rows):
    said, known = answers(rows), images(dict.fromkeys("abc", "awe")).rename({"label": "truth"}).drop("dataset")
    whole = read_subset("d", "d", [said], known)
    parts = read_subset("d", "d", [said[:2], said[2:]], known)
    assert [counted(sheet, whole) for sheet in whole.sheets] == [counted(sheet, parts) for sheet in parts.sheets]
    assert sum(sum(counted(sheet, whole).values()) for sheet in whole.sheets) == len(rows)


@given(
    arrays(
        np.int64,
        st.tuples(st.integers(0, 8), st.integers(1, 12)),
        elements=st.sampled_from([0, 1, 2, 24, 10**6, 2**40]),  # rows of some do not fit 64 bits
    )
)
def test_profiles_are_the_distinct_rows_in_order(given_):
    profile, rows = _profiles(given_)
    expected, inverse = np.unique(given_, axis=0, return_inverse=True)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(profile, inverse.reshape(-1))
