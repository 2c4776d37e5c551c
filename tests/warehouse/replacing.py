"""A file that another process replaces over and over while it is read."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WRITER = """
import itertools, os, sys
from pathlib import Path
import polars as pl
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.tables import contract_metadata

file, metadata = Path(sys.argv[1]), contract_metadata(contracts()["benchmark_items"])
file.parent.mkdir(parents=True, exist_ok=True)
new = file.with_suffix(".new")
for number in itertools.cycle(range(1, 41)):
    ids = [f"{row:0{7 * number}}" for row in range(5 * number)]
    frame = pl.DataFrame({"image_id": ids}).with_columns(subset=pl.lit("s"), dataset=pl.lit("d"), selection_seed=pl.lit(None, pl.Int64))
    frame.write_parquet(new, metadata=metadata)
    os.replace(new, file)
"""


@contextmanager
def replacing_for_ever(file: Path) -> Iterator[None]:
    """Replace a file of benchmark_items until the block ends: 5, 10, ... 200 rows, whose ids are as long as 7 / 5 of the rows."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(file)]) as process:
        try:
            while not file.exists():
                assert process.poll() is None
                time.sleep(0.01)
            yield
            assert process.poll() is None
        finally:
            process.kill()


def is_whole(n_rows: int, n_lengths: int, length: int) -> bool:
    """Whether what was read, with this many different lengths of ids, is one of the versions."""
    return n_lengths == 1 and n_rows % 5 == 0 and length == n_rows // 5 * 7
