from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.vlms.backends.openai_batch import cut


@given(st.lists(st.binary(min_size=1, max_size=40)), st.integers(1, 5), st.integers(1, 100))
def test_files_keep_the_limits_and_lose_nothing(lines: list[bytes], most_requests: int, most_bytes: int):
    parts = list(cut(lines, most_requests, most_bytes))
    assert [line for part in parts for line in part] == lines
    for part in parts:
        assert 1 <= len(part) <= most_requests
        assert sum(map(len, part)) <= most_bytes or len(part) == 1  # the provider says that one is too large
    for part, following in pairwise(parts):
        assert len(part) == most_requests or sum(map(len, part)) + len(following[0]) > most_bytes
