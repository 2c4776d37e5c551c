"""The one exception users see: what was wrong, where, and what to do next."""

from typing import Final

MAKE_ROOM: Final = "Make room or mend the disk, then run the same command again: what was stored is kept."
"""What to do when a file cannot be written."""


class EveError(Exception):
    """A problem that the user can mend.

    Args:
        problem: what was wrong and where, one sentence.
        hint: what to do next, one sentence.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(f"{problem}\n{hint}")
        self.problem = problem
        self.hint = hint
