"""Tokens open one study to one annotator; what is stored cannot open anything."""

import pytest

from eve_pipeline.annotation.invitations import invite, whose
from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.paths import Warehouse


def test_a_token_tells_study_and_annotator_and_is_not_stored(warehouse: Warehouse, study: str) -> None:
    tokens = {name: invite(study, name, warehouse) for name in ("ada", "bo")}
    assert {name: whose(token, warehouse) for name, token in tokens.items()} == {"ada": (study, "ada"), "bo": (study, "bo")}
    stored = warehouse.invitations.read_text()
    assert not any(token in stored for token in tokens.values())
    assert warehouse.invitations.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("token", ["", "x", "\ud800", "\x00", "é" * 1000])
def test_other_text_is_nobodys(warehouse: Warehouse, study: str, token: str) -> None:
    assert whose(token, warehouse) is None
    invite(study, "ada", warehouse)
    assert whose(token, warehouse) is None
    hashed = warehouse.invitations.read_text().split('"')[3]
    assert whose(hashed, warehouse) is None


def test_a_renewed_token_ends_the_old_one(warehouse: Warehouse, study: str) -> None:
    old = invite(study, "ada", warehouse)
    with pytest.raises(EveError, match="--renew"):
        invite(study, "ada", warehouse)
    new = invite(study, "ada", warehouse, renew=True)
    assert (whose(old, warehouse), whose(new, warehouse)) == (None, (study, "ada"))


def test_nobody_is_invited_to_nothing(warehouse: Warehouse) -> None:
    with pytest.raises(EveError, match="There is no study"):
        invite("nothing", "ada", warehouse)
