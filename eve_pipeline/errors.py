"""The one exception users see: what was wrong, where, and what to do next."""


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
