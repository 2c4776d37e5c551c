"""dbt's manifest: what the SQL models are, for tools that show them."""

from pathlib import Path

from filelock import FileLock

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import Publication, run_dbt


def dbt_manifest(warehouse: Warehouse, settings: Settings) -> Path:
    """Return the manifest's file, made again where a file of the dbt project is newer than it.

    Raises:
        EveError: dbt cannot parse the project.
    """
    building = Publication.building(warehouse, settings)
    target = building.dbt / "parsed"  # not where `dbt build` writes, which may be under way
    manifest = target / "manifest.json"
    if not manifest.exists() or any(source.stat().st_mtime > manifest.stat().st_mtime for source in _sources(settings)):
        with FileLock(warehouse.lock("publish")):
            run_dbt(building, "parse", "--target-path", str(target))
            manifest.touch()
    return manifest


def _sources(settings: Settings) -> list[Path]:
    return [file for file in settings.dbt_project.rglob("*") if file.suffix in {".sql", ".yml", ".csv"}]
