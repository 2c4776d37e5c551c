import threading
from collections.abc import Iterator, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.vlms.batching import Halving, ahead, is_out_of_memory


def run_out_of_memory() -> None:
    torch.empty(2**60)


def test_items_are_prepared_in_order_one_ahead():
    prepared: list[int] = []

    def prepare(item: int) -> int:
        prepared.append(item)
        return item * 10

    results = ahead(prepare, range(5))
    assert next(results) == 0
    assert set(prepared) <= {0, 1}
    assert list(results) == [10, 20, 30, 40]
    assert prepared == [0, 1, 2, 3, 4]


def test_the_next_item_is_prepared_while_this_one_is_used():
    threads: list[int] = []
    is_second_ready = threading.Event()

    def prepare(item: int) -> int:
        threads.append(threading.get_ident())
        if item == 1:
            is_second_ready.set()
        return item

    for item in ahead(prepare, range(2)):
        if item == 0:
            assert is_second_ready.wait(timeout=30)
    assert threading.get_ident() not in threads


def test_what_fails_in_the_thread_is_raised_in_its_turn():
    def prepare(item: int) -> float:
        return 1 / item

    results = ahead(prepare, [1, 0])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_refused_allocation_is_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        run_out_of_memory()
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA error: out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))


class Answering:
    """Answers numbers by their squares; has memory for `fits` of them, and cannot stand zeros."""

    def __init__(self, fits: int) -> None:
        self.fits = fits
        self.sizes: list[int] = []

    def __call__(self, items: Sequence[int]) -> list[str]:
        self.sizes.append(len(items))
        if len(items) > self.fits:
            run_out_of_memory()
        if 0 in items:
            raise ValueError("zero")
        return [str(item * item) for item in items]


def answers(halving: Halving[int, str], batches: Sequence[Sequence[int]]) -> Iterator[str]:
    for batch in batches:
        yield from halving(batch)


def test_a_smaller_batch_is_kept_once_memory_ran_out():
    answering = Answering(fits=3)
    halving = Halving(8, answering, lambda item, error: f"{item} failed")
    batches = [list(range(1, 9)), list(range(11, 19))]
    assert list(answers(halving, batches)) == [str(item * item) for batch in batches for item in batch]
    assert answering.sizes == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]
    assert halving.size == 2


def test_an_item_that_spoils_its_batch_fails_alone_and_the_size_stays():
    answering = Answering(fits=8)
    halving = Halving(8, answering, lambda item, error: f"{item} failed: {error}")
    assert list(halving([1, 2, 0, 4])) == ["1", "4", "0 failed: zero", "16"]
    assert halving.size == 8


def test_what_does_not_fit_alone_fails_alone():
    halving = Halving(2, Answering(fits=0), lambda item, error: f"{item} failed")
    assert list(halving([1, 2])) == ["1 failed", "2 failed"]


@given(st.lists(st.integers(-3, 9)), st.integers(1, 9), st.integers(0, 9))
def test_every_item_has_one_answer_in_order(items: list[int], size: int, fits: int):
    halving = Halving(size, Answering(fits), lambda item, error: "failed")
    expected = ["failed" if item == 0 or fits == 0 else str(item * item) for item in items]
    assert list(halving(items)) == expected
