"""What is kept of rejected records of every kind of source."""

import json
from typing import Any

import msgspec
import pytest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import ID_KINDS, PersonalKind
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.extract.runna.documents import Activity, Lap, Plan, PlannedWorkout, Step
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import pseudonym
from engagement_assets.privacy.redaction import MAX_OTHERS, Redactor
from engagement_assets.sources import RAW_DATASETS, SENT_FIELDS

KEY = "k" * 32
ROW_HEADER = "anonymous_id;context_device_id;event_name;created_at;child's name"


def _redactor(dataset: Dataset, policy: PrivacyPolicy | None = None) -> Redactor:
    return Redactor(dataset, SENT_FIELDS[dataset.key], policy or PrivacyPolicy(KEY, landed_unneeded=ID_KINDS))


def _kept(dataset: Dataset, text: str, header: str | None = None, policy: PrivacyPolicy | None = None) -> Any:
    return json.loads(_redactor(dataset, policy).record(text, header))


def test_ids_that_are_not_landed_are_not_kept_either() -> None:
    record = {"event_id": "e1", "user_id": "u-1", "child_id": "kid-1"}
    assert _kept(LINGOKIDS_EVENTS, json.dumps(record), policy=PrivacyPolicy(KEY)) == {
        "fields": {"event_id": "e1", "user_id": "u-1", "child_id": {"type": "string", "length": 5}},
        "others": [],
    }


def test_a_document_keeps_the_fields_of_its_contract_and_shapes_of_the_others() -> None:
    record = {
        "event_id": "e1",
        "occurred_at": "ana@example.com",
        "user_id": "u-1",
        "child_id": "kid-1",
        "child_name": "Ana",
        "data": {"activity_id": "counting", "duration": -4.5, "completed": None, "email": "ana@example.com"},
        "context": {"device": {"device_id": 17, "model": "Ana's phone"}, "ip": "10.0.0.1"},
    }

    assert _kept(LINGOKIDS_EVENTS, json.dumps(record)) == {
        "fields": {
            "event_id": "e1",
            "occurred_at": {"type": "string", "length": 15},
            "user_id": "u-1",
            "child_id": pseudonym(KEY, "kid-1"),
            "data.activity_id": "counting",
            "data.duration": -4.5,
            "data.completed": None,
            "context.device.device_id": pseudonym(KEY, "17"),
            "context.device.model": {"type": "string", "length": 11},
        },
        "others": [
            {"name": "child_name", "type": "string", "length": 3},
            {"name": "data.email", "type": "string", "length": 15},
            {"name": "context.ip", "type": "string", "length": 8},
        ],
    }


def test_ids_that_the_policy_does_not_hide_are_those_of_accepted_rows() -> None:
    text = json.dumps({"child_id": "kid-1", "user_id": "ana@example.com"})

    kept = _kept(LINGOKIDS_EVENTS, text, policy=PrivacyPolicy(landed_unneeded=ID_KINDS))["fields"]

    assert kept == {"child_id": "kid-1", "user_id": {"type": "string", "length": 15}}
    hidden = PrivacyPolicy(KEY, frozenset({PersonalKind.USER}), landed_unneeded=ID_KINDS)
    kept = _kept(LINGOKIDS_EVENTS, text, policy=hidden)["fields"]
    assert kept == {"child_id": "kid-1", "user_id": pseudonym(KEY, "ana@example.com")}


@pytest.mark.parametrize("value", ["", "  ", "\ud800", 1.5, True, ["kid-1"], {"id": "kid-1"}])
def test_what_is_no_id_is_kept_as_a_shape(value: object) -> None:
    text = json.dumps({"child_id": value})

    assert _kept(LINGOKIDS_EVENTS, text)["fields"]["child_id"].keys() <= {"type", "length"}


def test_places_and_free_texts_are_shapes() -> None:
    activity = {
        "id": 1,
        "name": "Run with Ana",
        "start_latlng": [41.38, 2.17],
        "athlete": {"id": 7},
        "map": {"id": "a"},
    }

    assert _kept(STRAVA_ACTIVITIES, json.dumps(activity)) == {
        "fields": {
            "id": 1,
            "name": {"type": "string", "length": 12},
            "start_latlng": {"type": "array", "length": 2},
        },
        "others": [
            {"name": "athlete", "type": "object", "length": 1},
            {"name": "map", "type": "object", "length": 1},
        ],
    }
    event = {"city": "Vic", "user_properties": {"user_corporate_id": "acme", "user_email": "a@b.c"}}
    assert _kept(USER_EVENTS, json.dumps(event)) == {
        "fields": {"city": {"type": "string", "length": 3}, "user_properties.user_corporate_id": "acme"},
        "others": [{"name": "user_properties.user_email", "type": "string", "length": 5}],
    }


def test_parts_of_a_document_are_read_by_their_own_contracts() -> None:
    document = {"activityId": "a", "userId": 12, "planDetails": {"id": "p", "coach": "Ana"}, "laps": [{"distance": 1}]}
    assert _kept(RUNNA_ACTIVITIES, json.dumps(document)) == {
        "fields": {"activityId": "a", "userId": 12, "planDetails.id": "p"},
        "others": [
            {"name": "planDetails.coach", "type": "string", "length": 3},
            {"name": "laps", "type": "array", "length": 1},
        ],
    }
    assert _kept(RUNNA_ACTIVITY_LAPS, '{"distance": "far", "averageSpeed": 2.5}') == {
        "fields": {"distance": {"type": "string", "length": 3}, "averageSpeed": 2.5},
        "others": [],
    }
    assert _kept(RUNNA_WORKOUT_STEPS, '{"type": "WorkoutStep", "paces": {"slow": {"text": "Ana"}}}') == {
        "fields": {"type": "WorkoutStep", "paces": {"type": "object", "length": 1}},
        "others": [],
    }


def test_a_row_is_read_by_its_header() -> None:
    row = '"u;1";phone-1;"Ride Started";2020-01-31 25:00:00;Ana'

    assert _kept(MOBILE_EVENTS, row, ROW_HEADER) == {
        "fields": {
            "anonymous_id": {"type": "string", "length": 3},
            "context_device_id": pseudonym(KEY, "phone-1"),
            "event_name": {"type": "string", "length": 12},
            "created_at": "2020-01-31 25:00:00",
        },
        "others": [{"name": "(12 characters)", "type": "string", "length": 3}],
    }
    assert _redactor(MOBILE_EVENTS).header(ROW_HEADER) == (
        "anonymous_id;context_device_id;event_name;created_at;(12 characters)"
    )


@pytest.mark.parametrize(
    ("dataset", "text", "header"),
    [
        (LINGOKIDS_EVENTS, '{"child_id": "kid-1", "na', None),
        (LINGOKIDS_EVENTS, '["kid-1"]', None),
        (LINGOKIDS_EVENTS, "[" * 100_000, None),
        (LINGOKIDS_EVENTS, "1" * 5_000, None),
        (MOBILE_EVENTS, "u1;phone-1;name", ROW_HEADER),
        (MOBILE_EVENTS, "u1;phone-1;name;2020-01-31;Ana;more", ROW_HEADER),
        (MOBILE_EVENTS, 'u1;phone-1;name;2020-01-31;"Ana', ROW_HEADER),
        (MOBILE_EVENTS, "u1;phone-1;name;2020-01-31;Ana", None),
        (MOBILE_EVENTS, "u1;phone-1;name", "event_name;event_name;created_at"),
        (MOBILE_EVENTS, "", ROW_HEADER),
    ],
)
def test_a_record_whose_fields_cannot_be_told_apart_keeps_its_length(
    dataset: Dataset, text: str, header: str | None
) -> None:
    assert _kept(dataset, text, header) == {"length": len(text)}


def test_a_record_without_a_text_keeps_nothing() -> None:
    assert _redactor(RUNNA_ACTIVITIES).record(None, None) == "{}"


def test_names_can_be_data_and_many() -> None:
    names = {f"user{number:03}@example.com": number for number in range(MAX_OTHERS + 5)}

    others = _kept(LINGOKIDS_EVENTS, json.dumps(names))["others"]

    assert others[0] == {"name": "(19 characters)", "type": "number"}
    assert others[-1] == {"name": "… and others", "length": 5}
    assert len(others) == MAX_OTHERS + 1


@pytest.mark.parametrize(
    ("dataset", "message", "shown"),
    [
        (RUNNA_ACTIVITIES, "userId: expected `str`, found 12.5", False),
        (RUNNA_ACTIVITIES, "weekOfPlan: expected a number, found 12.5", True),
        (RUNNA_WORKOUT_STEPS, "stepsV2[0].steps[1].paces.slow.mps: expected a number, found -3", False),
        (RUNNA_WORKOUT_STEPS, "stepsV2[0].repeatValue: expected a whole number, found -3", True),
        (MOBILE_EVENTS, "created_at: expected a time, found 2020-13-01", True),
        (MOBILE_EVENTS, "context_device_id: expected a value, found 17", False),
        (STRAVA_ACTIVITIES, "start_latlng: expected a number, found 41.38", False),
        (STRAVA_ACTIVITIES, "start_latlng: expected a number, found a text of 5 characters", True),
        (LINGOKIDS_EVENTS, "user_id: expected a text, found nothing", True),
        (LINGOKIDS_EVENTS, "expected a JSON object, found no valid JSON", True),
    ],
)
def test_a_message_about_a_personal_field_quotes_nothing(dataset: Dataset, message: str, shown: bool) -> None:
    found = _redactor(dataset).message(message)
    expected = message.partition(", found ")[0] + ", found a number or a time that is not shown: the field is personal"
    assert found == (message if shown else expected)


def test_every_dataset_that_rejects_records_says_how_they_are_sent() -> None:
    undescribed = [dataset.key for dataset in RAW_DATASETS if dataset.key not in SENT_FIELDS]
    # Kudos are read from the records of activities.
    assert undescribed == ["raw_strava/activity_kudos"]
    unsent = {
        dataset.key: sorted(
            dataset.kinds.keys() - {*SENT_FIELDS[dataset.key].columns.values(), "_extra", "source_path"}
        )
        for dataset in RAW_DATASETS
        if dataset.key in SENT_FIELDS
    }
    # One field holds both coordinates.
    assert {key: names for key, names in unsent.items() if names} == {STRAVA_ACTIVITIES.key: ["start_latitude"]}


@pytest.mark.parametrize(
    ("dataset", "parts", "not_of_the_contract"),
    [
        (
            RUNNA_ACTIVITIES,
            {"": Activity, "planDetails.": Plan, "plannedWorkoutMetadata.": PlannedWorkout},
            {"planDetails", "plannedWorkoutMetadata", "plannedWorkoutMetadata.stepsV2", "laps", "waypoints"},
        ),
        (RUNNA_ACTIVITY_LAPS, {"": Lap}, set()),
        (RUNNA_WORKOUT_STEPS, {"": Step}, {"steps"}),
    ],
)
def test_the_fields_of_documents_are_those_of_their_structs(
    dataset: Dataset, parts: dict[str, type[msgspec.Struct]], not_of_the_contract: set[str]
) -> None:
    names = {f"{above}{field.encode_name}" for above, part in parts.items() for field in msgspec.structs.fields(part)}
    sent = SENT_FIELDS[dataset.key].columns
    assert names - not_of_the_contract == sent.keys()
    assert set(sent.values()) <= dataset.columns.keys()
