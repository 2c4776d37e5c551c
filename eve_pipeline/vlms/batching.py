"""Work through a list in batches: the next one is prepared meanwhile, and a batch that fails is asked again in halves."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(prepare: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `prepare(item)` in order; while the caller works on one, the next is made in a thread."""
    with ThreadPoolExecutor(1) as pool:
        upcoming: Future[Result] | None = None
        for item in items:
            following = pool.submit(prepare, item)
            if upcoming:
                yield upcoming.result()
            upcoming = following
        if upcoming:
            yield upcoming.result()


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that a smaller batch may do."""
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or should_reduce_batch_size(error)


def free_memory() -> None:
    """Give back what the device keeps for tensors that are gone."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)


class Halving(Generic[Item, Result]):
    """Answers batches of at most `size` items: where memory runs out, the smaller size stays; an item that spoils a batch fails alone."""

    def __init__(self, size: int, answer: Callable[[Sequence[Item]], list[Result]], give_up: Callable[[Item, Exception], Result]) -> None:
        self.size = size
        self.answer = answer
        self.give_up = give_up

    def __call__(self, items: Sequence[Item], first_try: Callable[[], list[Result]] | None = None) -> Iterator[Result]:
        """Yield one result an item, in order; `first_try` stands for answering the whole batch, if it is still allowed."""
        if len(items) <= self.size:
            failure = None
            try:
                results = first_try() if first_try else self.answer(items)
            except Exception as error:  # noqa: BLE001 - what one batch does must not stop the others
                failure = error.with_traceback(None)  # whose frames would keep the batch's tensors
            if failure is None:
                yield from results
                return
            if len(items) == 1:
                yield self.give_up(items[0], failure)
                return
            if is_out_of_memory(failure):
                free_memory()
                self.size = len(items) // 2
        half = min(self.size, (len(items) + 1) // 2)
        for start in range(0, len(items), half):
            yield from self(items[start : start + half])
