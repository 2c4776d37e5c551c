"""Run `eve` as a user does, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

EVE = Path(sys.executable).with_name("eve")


def eve(*arguments: str, home: Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Return the finished command; its output is text 200 columns wide."""
    environment = os.environ | {"EVE_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run([EVE, *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False)
