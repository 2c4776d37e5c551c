"""The Parquet files of all tables: readable, and of a version of their contract that this program knows."""

from collections.abc import Iterator

from eve_pipeline.doctor.finding import Finding
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import check_file


def look_at_tables(settings: Settings) -> Iterator[Finding]:
    """Yield one finding for each file that cannot be read, and one for all others."""
    warehouse, n_current, n_older = Warehouse.of(settings), 0, 0
    for contract in contracts().values():
        for file in warehouse.files(contract.table):
            try:
                is_older = int(check_file(file, contract).get("contract_version", "0")) < contract.version
            except EveError as error:
                yield Finding(f"table {contract.table}", "error", error.problem, error.hint)
            else:
                n_current, n_older = n_current + (not is_older), n_older + is_older
    older = f"; {n_older} of an earlier version, which is read as it is" if n_older else ""
    yield Finding("tables", "ok", f"{n_current + n_older} readable files{older}")
