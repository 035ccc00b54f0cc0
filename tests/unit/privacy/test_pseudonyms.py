"""Pseudonyms: the same in Python and SQL, and in place of every personal id of a raw text."""

import duckdb
import pytest

from engagement_assets.privacy.pseudonyms import (
    pseudonym,
    with_pseudonyms,
    without_personal_ids,
)

KID = pseudonym("key", "kid-1")


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


@pytest.mark.parametrize(
    ("raw_text", "expected"),
    [
        ('{"child_id": "kid-1", "n": 1}', f'{{"child_id": "{KID}", "n": 1}}'),
        ('{"a":{"device_id":"kid-1"}}', f'{{"a":{{"device_id":"{KID}"}}}}'),
        ('{"children_ids" : ["kid-1", "kid-1"]}', f'{{"children_ids" : ["{KID}", "{KID}"]}}'),
        ('{"data.child_id":"kid-1"}', f'{{"data.child_id":"{KID}"}}'),
        ('{"child_id": null, "children_ids": []}', '{"child_id": null, "children_ids": []}'),
        ('{"child_id": 17}', f'{{"child_id": "{pseudonym("key", "17")}"}}'),
        ('{"child_id": "k\\u0069d-1"', f'{{"child_id": "{KID}"'),
        ('{"child_id": "kid', '{"child_id": "[redacted]"'),
        ('{"children_ids": ["kid-1", "ki', '{"children_ids": "[redacted]"'),
        ('{"child_id": kid-1}', '{"child_id": "[redacted]"}'),
        ('{"grandchild_id": "kid-1"}', '{"grandchild_id": "kid-1"}'),
        ('{"child_id"', '{"child_id"'),
        ("no json", "no json"),
    ],
)
def test_personal_ids_of_a_raw_text_are_replaced(raw_text: str, expected: str) -> None:
    assert without_personal_ids("key", raw_text) == expected
