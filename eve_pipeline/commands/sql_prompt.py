"""`eve sql` on a terminal: a prompt that completes names and says what they mean."""

from collections.abc import Callable, Iterator, Mapping

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.lexers import PygmentsLexer
from rich.console import Console

from eve_pipeline.commands.sql_completion import complete
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import tell_error
from eve_pipeline.warehouse.dictionary import Table

WELCOME = "A statement, or the name of a named query, ends with a semicolon. Tab completes, Ctrl-C clears, Ctrl-D leaves."


class SqlCompleter(Completer):
    """Offers what `complete` finds, with meanings beside it."""

    def __init__(self, tables: Mapping[str, Table], questions: Mapping[str, str]) -> None:
        self.tables, self.questions = tables, questions

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002 - of prompt_toolkit
        """Yield what can stand for the word before the cursor."""
        for found in complete(document.text_before_cursor, document.text_after_cursor, self.tables, self.questions):
            yield Completion(found.text, start_position=-found.n_typed, display_meta=found.meaning)


def is_finished(text: str) -> bool:
    """Whether Enter runs the text: it ends with a semicolon outside of quotes, or is empty."""
    code = text.strip()
    return not code or (code.endswith(";") and code.count("'") % 2 == 0)


def prompt(answer: Callable[[str], None], tables: Mapping[str, Table], questions: Mapping[str, str], settings: Settings) -> None:
    """Answer statements until the end of input; an error does not end it.

    Args:
        answer: prints the answer to a statement; its `EveError` is told.
        tables: the tables there are, by `schema.table`.
        questions: what each named query answers.
        settings: the folder that keeps the history, `sql_history`.
    """
    session: PromptSession[str] = PromptSession(
        "eve> ",
        multiline=Condition(lambda: not is_finished(get_app().current_buffer.text)),
        prompt_continuation="...> ",
        lexer=PygmentsLexer.from_filename("question.sql"),
        completer=SqlCompleter(tables, questions),
        history=FileHistory(str(settings.home / "sql_history")),
    )
    Console().print(WELCOME)
    while True:
        try:
            if statement := session.prompt().strip("; \n"):
                answer(statement)
        except KeyboardInterrupt:  # Ctrl-C clears what is typed, or ends the query that runs
            continue
        except EOFError:
            return
        except EveError as error:
            tell_error(error)
