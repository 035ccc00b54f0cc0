"""What leaves an extraction before it is staged, whatever the source."""

from typing import Any

import duckdb
import pytest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.protection import protected
from engagement_assets.privacy.pseudonyms import pseudonym

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
    extraction = Extraction({MOBILE_EVENTS.key: "select 1"}, rejected="", counts="", unknown_fields="")
    with duckdb.connect() as connection:
        kept = protected(connection, extraction, {MOBILE_EVENTS.key: MOBILE_EVENTS}, PrivacyPolicy(KEY))
    assert KEY not in str(kept)
    assert KEY not in repr(PrivacyPolicy(KEY))
