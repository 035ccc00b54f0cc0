"""What leaves an extraction before it is staged, whatever the source."""

import json
from hashlib import sha256
from typing import Any

import duckdb
import pytest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import NO_PLACEHOLDERS, Extraction
from engagement_assets.contracts.personal import ID_KINDS, NO_ID, PersonalKind
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.privacy.policy import PrivacyPolicy, columns_of_kinds
from engagement_assets.privacy.protection import protected
from engagement_assets.privacy.pseudonyms import pseudonym
from engagement_assets.privacy.rejected import record_hash
from engagement_assets.sources import RAW_DATASETS, SENT_FIELDS

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
    # The ids of these events are made of what they say, also of the device.
    first, second, phone = (pseudonym(KEY, text) for text in ("e1", "e2", "phone-1"))

    assert sorted(_kept(dataset, rows, PrivacyPolicy(KEY))) == sorted(
        [
            (first, "u1", *[phone] * (1 + len(also_device))),
            (second, "u1", *[None] * (1 + len(also_device))),
        ]
    )


def test_only_the_kinds_that_the_policy_names_are_hidden() -> None:
    rows = "select 'e1' as event_id, 'u1' as user_id, 'phone-1' as device_id, 'c1' as user_corporate_id"
    rows += ", 'phone-2' as initial_li_fat_id, 'phone-3' as initial_rtd_cid, 'a1' as amp_id"
    policy = PrivacyPolicy(KEY, frozenset({PersonalKind.USER}))

    user, amplitude = pseudonym(KEY, "u1"), pseudonym(KEY, "a1")
    assert _kept(USER_EVENTS, rows, policy) == [("e1", user, "phone-1", "c1", "phone-2", "phone-3", amplitude)]


def test_what_stands_for_no_id_stays() -> None:
    rows = f"select 'e1' as event_id, 'p' as device_id, '{NO_ID}' as initial_li_fat_id, null as initial_rtd_cid"

    ((_, _, initial, absent),) = _kept(USER_EVENTS, rows, PrivacyPolicy(KEY))

    assert (initial, absent) == (NO_ID, None)


def test_ids_that_differ_in_their_case_alone_stay_the_same_device() -> None:
    rows = "select 'e1' as event_id, unnest(['PHONE-1', 'phone-1']) as device_id"

    assert {row[1] for row in _kept(MOBILE_EVENTS, rows, PrivacyPolicy(KEY))} == {pseudonym(KEY, "phone-1")}


@pytest.mark.parametrize(
    ("policy", "child", "device"),
    [
        (PrivacyPolicy(), None, None),
        (PrivacyPolicy(KEY), None, None),
        (PrivacyPolicy(landed_unneeded=frozenset({PersonalKind.CHILD})), "kid-1", None),
        (PrivacyPolicy(KEY, landed_unneeded=frozenset(PersonalKind)), pseudonym(KEY, "kid-1"), pseudonym(KEY, "p")),
    ],
)
def test_ids_that_no_table_needs_are_landed_on_request_alone(
    policy: PrivacyPolicy, child: str | None, device: str | None
) -> None:
    rows = "select 'e1' as event_id, 'u1' as user_id, 'kid-1' as child_id, 'p' as device_id"

    assert _kept(LINGOKIDS_EVENTS, rows, policy) == [("e1", "u1", child, device)]


def test_without_a_key_other_ids_land_as_sent() -> None:
    rows = "select 'e1' as event_id, 'u1' as anonymous_id, 'phone-1' as device_id"

    assert _kept(MOBILE_EVENTS, rows, PrivacyPolicy()) == [("e1", "u1", "phone-1")]


@pytest.mark.parametrize("dataset", RAW_DATASETS, ids=lambda dataset: dataset.key)
def test_every_column_that_can_be_a_pseudonym_is_a_text(dataset: Dataset) -> None:
    assert {dataset.columns[name] for name in columns_of_kinds(dataset, ID_KINDS)} <= {"VARCHAR"}
    assert dataset.unneeded <= set(columns_of_kinds(dataset, ID_KINDS))


def test_the_key_stands_in_no_query() -> None:
    extraction = _extraction(MOBILE_EVENTS, "from events")
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
