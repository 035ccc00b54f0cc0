"""Pseudonyms: the same in Python and SQL."""

import duckdb
import pytest

from engagement_assets.privacy.pseudonyms import pseudonym, pseudonym_parameters, pseudonym_sql


def test_a_pseudonym_is_the_same_everywhere() -> None:
    # RFC 4231, test case 2, cut to 128 bits.
    assert pseudonym("Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"


@pytest.mark.parametrize("key", ["k", "é", "k" * 64, "k" * 65, "k" * 200])
@pytest.mark.parametrize("value", ["", "kid-1", "漢字", "x" * 300])
def test_sql_gives_the_same_pseudonym_as_python(key: str, value: str) -> None:
    parameters = {"value": value, **pseudonym_parameters(key)}

    with duckdb.connect() as connection:
        (found,) = connection.execute(f"select {pseudonym_sql('$value')}", parameters).fetchall()[0]

    assert found == pseudonym(key, value)
