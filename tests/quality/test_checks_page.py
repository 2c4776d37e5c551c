"""docs/checks.md lists every check."""

from eve_pipeline.quality.tables import READABLE_RULE, RULES
from eve_pipeline.settings import PROJECT


def test_every_check_is_documented() -> None:
    text = (PROJECT / "docs" / "checks.md").read_text()
    for table, rules in RULES.items():
        section = text.partition(f"## {table}\n")[2].partition("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        expected = {**rules, "readable": READABLE_RULE}
        assert rows == [f"| `{name}` | {rule.severity} | {rule.expects} | {rule.to_do} |" for name, rule in expected.items()]
