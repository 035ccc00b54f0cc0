"""What leaves an extraction before it is staged, whatever the source."""

from typing import Any

import duckdb
import pytest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.contracts.personal import ID_KINDS, NO_ID, PersonalKind
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.protection import columns_of_kinds, protected
from engagement_assets.privacy.pseudonyms import pseudonym
from engagement_assets.sources import RAW_DATASETS

KEY = "k" * 32


def _kept(dataset: Dataset, rows: str, policy: PrivacyPolicy) -> list[tuple[Any, ...]]:
    extraction = Extraction({dataset.key: rows}, rejected="", counts="", unknown_fields="")
    with duckdb.connect() as connection:
        kept = protected(connection, extraction, {dataset.key: dataset}, policy)
        return connection.execute(f"from ({kept.accepted[dataset.key]}) order by all").fetchall()


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
    extraction = Extraction({MOBILE_EVENTS.key: "from events"}, rejected="", counts="", unknown_fields="")
    with duckdb.connect() as connection:
        kept = protected(connection, extraction, {MOBILE_EVENTS.key: MOBILE_EVENTS}, PrivacyPolicy(KEY))
    assert KEY not in str(kept)
    assert KEY not in repr(PrivacyPolicy(KEY))
