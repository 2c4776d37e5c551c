"""Run `eve` as a user does, in a process of its own."""

import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

EVE = Path(sys.executable).with_name("eve")


def eve(*arguments: str, home: Path, folder: Path | None = None, largest_file: int | None = None) -> subprocess.CompletedProcess[str]:
    """Return the finished command; its output is text 200 columns wide. No file may grow beyond `largest_file` bytes."""
    environment = os.environ | {"EVE_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}
    limit = None if largest_file is None else partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    return subprocess.run([EVE, *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False, preexec_fn=limit)
