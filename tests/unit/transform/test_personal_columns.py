"""Which columns of the warehouse are personal: what the datasets of their area declare."""

import pytest

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.contracts.source import Source
from engagement_assets.sources import SOURCES
from engagement_assets.transform.personal_columns import kind_of

USER, DEVICE, PLACE, FREE_TEXT = PersonalKind.USER, PersonalKind.DEVICE, PersonalKind.PLACE, PersonalKind.FREE_TEXT


@pytest.mark.parametrize(
    ("folder", "column", "kind"),
    [
        ("marts/mobility", "device_id", DEVICE),
        ("intermediate/mobility", "previous_device_id", DEVICE),
        ("staging/mobile", "anonymous_id", USER),
        ("marts/mobility", "event_id", None),
        ("marts/learning", "device_id", DEVICE),
        ("marts/training", "device_id", None),
        ("marts/strava", "start_latitude", PLACE),
        # Strava's activities have the names that people gave them, Lingokids' those of a catalogue.
        ("marts/strava", "activity_name", FREE_TEXT),
        ("marts/learning", "activity_name", None),
        ("marts/product", "page_path", FREE_TEXT),
        ("marts/engagement", "user_id", USER),
        ("audit", "raw_text", FREE_TEXT),
        ("audit", "steps_source_path", FREE_TEXT),
        ("audit", "user_id", None),
        ("marts/training", "raw_text", None),
        ("marts/training", "users", None),
    ],
)
def test_a_column_is_of_the_kind_that_its_area_declares(folder: str, column: str, kind: PersonalKind | None) -> None:
    assert kind_of({"fqn": ["engagement", *folder.split("/"), "table"]}, column) == kind


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_declared_column_is_found_in_its_area(source: Source) -> None:
    for dataset in source.datasets:
        for column, kind in dataset.kinds.items():
            assert kind_of({"fqn": ["engagement", "marts", source.area, "table"]}, column) == kind
