"""dbt, loaded ahead: parses the project, says so, and runs the command in its arguments when a line comes on standard input.

A process of its own, as dbt keeps a connection open for as long as its process lives.
"""

import os
import sys

READY = "ready"
FLAGS = ("--no-use-colors", "--quiet")


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 where the command succeeded, or was never asked for."""
    os.nice(5)  # what it does ahead must not slow the process that it waits for
    from dbt.cli.main import dbtRunner

    parsed = dbtRunner().invoke([*FLAGS, "parse", "--no-write-json"])
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        return 0
    manifest = parsed.result if parsed.success else None
    return 0 if dbtRunner(manifest=manifest).invoke([*FLAGS, *arguments]).success else 1  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
