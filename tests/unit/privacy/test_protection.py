"""What leaves an extraction before it is staged, whatever the source."""

import json
from hashlib import sha256
from typing import Any

import duckdb
import pytest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import NO_PLACEHOLDERS, Extraction
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.protection import protected
from engagement_assets.privacy.pseudonyms import pseudonym
from engagement_assets.privacy.rejected import record_hash
from engagement_assets.sources import SENT_FIELDS

KEY = "k" * 32


NO_REJECTS = (
    "select null::varchar as dataset, null::date as day, null::varchar as source_path, null::bigint as position, "
    "null::varchar as raw_text, null::varchar as reason_code, null::varchar as message where false"
)


def _extraction(
    dataset: Dataset, rows: str, rejected: str = NO_REJECTS, unknown_fields: str = NO_PLACEHOLDERS
) -> Extraction:
    return Extraction({dataset.key: rows}, rejected=rejected, counts="", unknown_fields=unknown_fields)


def _kept(dataset: Dataset, rows: str, policy: PrivacyPolicy) -> list[tuple[Any, ...]]:
    extraction = _extraction(dataset, f"select *, null::varchar as _extra from ({rows})")
    with duckdb.connect() as connection:
        kept = protected(connection, extraction, {dataset.key: dataset}, SENT_FIELDS, policy)
        return connection.execute(
            f"select * exclude (_extra) from ({kept.accepted[dataset.key]}) order by all"
        ).fetchall()


@pytest.mark.parametrize(
    ("dataset", "user", "also_device"),
    [(MOBILE_EVENTS, "anonymous_id", ()), (USER_EVENTS, "user_id", ("initial_li_fat_id", "initial_rtd_cid"))],
)
def test_with_a_key_devices_are_hidden_in_every_source(
    dataset: Dataset, user: str, also_device: tuple[str, ...]
) -> None:
    more = "".join(f", 'phone-1' as {name}" for name in also_device)
    rows = f"""
        select 'e1' as event_id, 'u1' as {user}, 'phone-1' as device_id {more}
        union all select 'e2', 'u1', null {", null" * len(also_device)}
    """
    phone = pseudonym(KEY, "phone-1")

    assert _kept(dataset, rows, PrivacyPolicy(KEY)) == [
        ("e1", "u1", *[phone] * (1 + len(also_device))),
        ("e2", "u1", *[None] * (1 + len(also_device))),
    ]


def test_only_the_kinds_that_the_policy_names_are_hidden() -> None:
    rows = "select 'e1' as event_id, 'u1' as anonymous_id, 'phone-1' as device_id"
    policy = PrivacyPolicy(KEY, frozenset({PersonalKind.USER}))

    assert _kept(MOBILE_EVENTS, rows, policy) == [("e1", pseudonym(KEY, "u1"), "phone-1")]


def test_without_a_key_ids_land_as_sent() -> None:
    rows = "select 'e1' as event_id, 'u1' as anonymous_id, 'phone-1' as device_id"

    assert _kept(MOBILE_EVENTS, rows, PrivacyPolicy()) == [("e1", "u1", "phone-1")]


def test_the_key_stands_in_no_query() -> None:
    extraction = _extraction(MOBILE_EVENTS, "select 1")
    with duckdb.connect() as connection:
        kept = protected(connection, extraction, {MOBILE_EVENTS.key: MOBILE_EVENTS}, SENT_FIELDS, PrivacyPolicy(KEY))
    assert KEY not in str(kept)
    assert KEY not in repr(PrivacyPolicy(KEY))


def _kept_rejects(policy: PrivacyPolicy) -> list[tuple[Any, ...]]:
    row, header = "u-1;phone-1;2020-13-01;Ana", "anonymous_id;context_device_id;created_at;nick"
    rejected = f"""
        select '{MOBILE_EVENTS.key}' as dataset, date '2020-01-01' as day, 'a.csv' as source_path, 2 as position,
            '{row}' as raw_text, '{header}' as header, sha256('{row}') as record_hash, 'bad_timestamp' as reason_code,
            'context_device_id: expected a value, found 17' as message
        union all by name
        select '{MOBILE_EVENTS.key}' as dataset, 'b.csv' as source_path, 'refused_path' as reason_code, 'why' as message
    """
    extraction = _extraction(MOBILE_EVENTS, "select null::varchar as _extra", rejected)
    with duckdb.connect() as connection:
        kept = protected(connection, extraction, {MOBILE_EVENTS.key: MOBILE_EVENTS}, SENT_FIELDS, policy)
        return connection.execute(
            f"select record, raw_text, header, record_hash, has_pseudonyms, message from ({kept.rejected}) "
            "order by source_path"
        ).fetchall()


def test_of_a_rejected_record_nothing_stays_that_must_not() -> None:
    known, refused = _kept_rejects(PrivacyPolicy(KEY))

    digest = sha256(b"u-1;phone-1;2020-13-01;Ana").hexdigest()
    assert json.loads(known[0])["fields"] == {
        "anonymous_id": "u-1", "context_device_id": pseudonym(KEY, "phone-1"), "created_at": "2020-13-01",
    }  # fmt: skip
    assert known[1:] == (
        None,
        "anonymous_id;context_device_id;created_at;nick",
        record_hash(digest, PrivacyPolicy(KEY)),
        True,
        "context_device_id: expected a value, found a number or a time that is not shown: the field is personal",
    )
    assert refused == ("{}", None, None, None, True, "why")


def test_the_hash_of_a_record_is_keyed_if_there_is_a_key() -> None:
    digest = sha256(b"u-1;phone-1;2020-13-01;Ana").hexdigest()
    assert _kept_rejects(PrivacyPolicy())[0][3] == digest[:32]
    assert _kept_rejects(PrivacyPolicy(KEY))[0][3] == pseudonym(KEY, digest[:32])


def test_a_setting_keeps_the_raw_text_beside_what_may_be_shown() -> None:
    known, refused = _kept_rejects(PrivacyPolicy(KEY, keeps_raw_text=True))
    assert known[1] == "anonymous_id;context_device_id;created_at;nick\nu-1;phone-1;2020-13-01;Ana"
    assert "phone-1" not in known[0]
    assert refused[1] is None


def test_of_unknown_fields_only_shapes_stay() -> None:
    rows = """
        select 'e1' as event_id, '{"nick":"Ana","ana@example.com":[1]}' as _extra union all select 'e2', null
    """
    unknown_fields = f"""
        select '{MOBILE_EVENTS.key}' as dataset, null::date as day, 2 as records,
            unnest(['nick', 'ana@example.com', 'bob@example.com']) as field
    """
    extraction = _extraction(MOBILE_EVENTS, rows, unknown_fields=unknown_fields)
    with duckdb.connect() as connection:
        kept = protected(connection, extraction, {MOBILE_EVENTS.key: MOBILE_EVENTS}, SENT_FIELDS, PrivacyPolicy())
        extras = connection.execute(f"select _extra from ({kept.accepted[MOBILE_EVENTS.key]}) order by all").fetchall()
        names = connection.execute(f"select field, records from ({kept.unknown_fields}) order by all").fetchall()
    assert extras == [
        ('{"nick":{"type":"string","length":3},"(15 characters)":{"type":"array","length":1}}',),
        (None,),
    ]
    assert names == [("(15 characters)", 4), ("nick", 2)]
