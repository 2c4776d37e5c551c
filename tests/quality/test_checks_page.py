"""docs/checks.md lists every check."""

import dagster as dg
import pytest

from eve_pipeline.orchestration.assets.evaluation import OWN_CHECKS
from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.orchestration.revisions import CHECKS
from eve_pipeline.quality.checking import Rules
from eve_pipeline.quality.tables import READABLE_RULE, RULES
from eve_pipeline.settings import PROJECT, Settings

OF_REVISIONS = {asset.to_user_string(): rules for asset, rules in CHECKS.items()}
DOCUMENTED: dict[str, Rules] = {
    **{table: {**rules, "readable": READABLE_RULE} for table, rules in RULES.items()},
    "responses, while asking": OWN_CHECKS,
    **OF_REVISIONS,
}


@pytest.mark.parametrize("heading", DOCUMENTED)
def test_every_check_is_documented(heading: str) -> None:
    text = (PROJECT / "docs" / "checks.md").read_text()
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {rule.severity} | {rule.expects} | {rule.to_do} |" for name, rule in DOCUMENTED[heading].items()]


def test_the_ui_has_no_other_checks_but_those_of_sql_models(settings: Settings) -> None:
    tables = {*RULES, *OF_REVISIONS}
    with dg.DagsterInstance.ephemeral():  # else definitions look for the last instance that a test has opened
        graph = build_definitions(settings).get_repository_def().asset_graph
    keys = [key for key in graph.asset_check_keys if key.asset_key.to_user_string() in tables]
    known = {name for rules in DOCUMENTED.values() for name in rules}
    assert {key.name for key in keys} == known - {"readable"}
    assert dg.AssetCheckKey(dg.AssetKey("responses"), "served_as_one") in keys
