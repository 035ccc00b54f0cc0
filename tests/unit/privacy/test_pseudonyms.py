"""Pseudonyms: the same in Python and SQL."""

import duckdb
import pytest

from engagement_assets.privacy.pseudonyms import pseudonym, with_pseudonyms


def test_a_pseudonym_is_the_same_everywhere() -> None:
    # RFC 4231, test case 2, cut to 128 bits.
    assert pseudonym("Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"


def test_a_key_that_replaced_another_hashes_the_old_pseudonym() -> None:
    assert pseudonym("new,old", "kid-1") == pseudonym("new", pseudonym("old", "kid-1"))


@pytest.mark.parametrize("key", ["k", "é", "k" * 64, "k" * 65, "k" * 200, "new,older,oldest"])
@pytest.mark.parametrize("value", ["", "kid-1", "漢字", "x" * 300])
def test_sql_gives_the_same_pseudonym_as_python(key: str, value: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table ids as select $value as child_id, null as device_id", {"value": value})
        found = connection.execute(with_pseudonyms(connection, key, "from ids", ["child_id", "device_id"])).fetchall()

    assert found == [(pseudonym(key, value), None)]


def test_rows_that_share_an_id_stay_as_many() -> None:
    with duckdb.connect() as connection:
        connection.execute("create table ids as select unnest(['a', 'a', null]) as child_id")
        found = connection.execute(with_pseudonyms(connection, "key", "from ids", ["child_id"])).fetchall()

    assert sorted(found, key=str) == [(pseudonym("key", "a"),), (pseudonym("key", "a"),), (None,)]
