"""Each column of the lake is declared: personal, of a kind, or not."""

from dataclasses import replace

import pytest

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.mobile import MOBILE, MOBILE_EVENTS


@pytest.mark.parametrize(
    ("personal", "impersonal", "found"),
    [
        ({}, MOBILE_EVENTS.impersonal, "found anonymous_id, device_id in neither or both"),
        (MOBILE_EVENTS.personal, f"device_id, {MOBILE_EVENTS.impersonal}", "found device_id in neither or both"),
        (MOBILE_EVENTS.personal, f"iban, {MOBILE_EVENTS.impersonal}", "iban that are no columns"),
    ],
)
def test_a_source_whose_columns_are_left_open_is_refused(
    personal: dict[str, PersonalKind], impersonal: str, found: str
) -> None:
    with pytest.raises(ValueError, match="raw_mobile/events: expected each column") as refusal:
        replace(MOBILE, datasets=(replace(MOBILE_EVENTS, personal=personal, impersonal=impersonal),))
    assert found in str(refusal.value)


def test_columns_that_the_project_adds_need_no_declaration() -> None:
    assert dict(MOBILE_EVENTS.kinds) == {
        "anonymous_id": PersonalKind.USER,
        "device_id": PersonalKind.DEVICE,
        "_extra": PersonalKind.FREE_TEXT,
        "source_path": PersonalKind.FREE_TEXT,
    }
