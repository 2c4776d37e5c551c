"""The checks as one HTML page: what was last found in each table, and what to do about it."""

from pathlib import Path
from typing import NamedTuple

from eve_pipeline.files import replacing
from eve_pipeline.quality.checking import CheckResult, Rule
from eve_pipeline.quality.records import Record, records
from eve_pipeline.quality.tables import READABLE_RULE, RULES
from eve_pipeline.warehouse.paths import Warehouse

HERE = Path(__file__).parent


class Finding(NamedTuple):
    """A check that did not pass."""

    record: Record
    result: CheckResult
    rule: Rule

    @property
    def partition(self) -> str:
        """The partition in words."""
        return " x ".join(self.record.partition)


def findings(found: list[Record]) -> list[Finding]:
    """Return the checks that did not pass, errors first."""
    failed = [
        Finding(record, result, RULES[record.table].get(result.name, READABLE_RULE))
        for record in found
        for result in record.results
        if not result.passed
    ]
    return sorted(failed, key=lambda finding: finding.result.severity != "error")


def write_page(warehouse: Warehouse) -> Path:
    """Write the page of all that was ever checked, and return its file."""
    from jinja2 import Environment, FileSystemLoader

    found, rules = list(records(warehouse)), RULES
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("checks.html.jinja").render(
        records=found, findings=findings(found), rules=rules, n_checks=sum(len(record.results) for record in found)
    )
    with replacing(warehouse.checks_page) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return warehouse.checks_page
