"""What the sandbox services served last, as the tables must hold it: rules written once more in plain Python.

Belongs here: the expectation from the sandbox's own ledger, and the comparison with the tables. Not here: how the
tables came to be (see the tests).
"""

from datetime import date, datetime, timedelta
from typing import Any

from tests.integration.services import Services

REQUIRED = ("date", "event_type", "device_id", "user_id", "event_time")


def expected_activities(running: Services) -> list[tuple[Any, ...]]:
    """Every activity that was ever served, as it was served last; gone ones are marked."""
    deleted = running.apis.strava.deleted_ids()
    return sorted(
        (
            activity_id,
            document["name"].strip() or None,
            document["distance"],
            document["moving_time"],
            document["kudos_count"],
            datetime.fromisoformat(document["start_date"]).replace(tzinfo=None),
            activity_id in deleted,
        )
        for activity_id, document in running.apis.strava.served_activities().items()
    )


def found_activities(running: Services) -> list[tuple[Any, ...]]:
    return running.query(
        "select activity_id, activity_name, distance_m, moving_time_s, kudos_count, started_at, is_deleted "
        "from strava.fct__strava_activities order by all"
    )


def moment(value: Any) -> datetime | None:
    """An epoch in seconds or milliseconds, or an ISO text."""
    if value is None:
        return None
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=None)
    seconds = value / 1000 if value > 10**11 else value
    return datetime(1970, 1, 1) + timedelta(seconds=seconds)


def expected_events(running: Services) -> tuple[set[tuple[Any, ...]], dict[date, int]]:
    """Events by identity with their newest upload, and how many records each date's answer held."""
    newest: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    read = {}
    for day, documents in running.apis.user_events.served_events().items():
        read[day] = len(documents)
        for document in documents:
            if any(document.get(name) in (None, "") for name in REQUIRED) or len(document["device_id"]) > 64:
                continue
            event_time = moment(document["event_time"])
            path = (document.get("data") or {}).get("path")
            own_id = document.get("insert_id") or document.get("uuid")
            key = (own_id,) if own_id else (document["device_id"], event_time, document["event_type"], path)
            upload = moment(document.get("server_upload_time")) or moment(0)
            row = (day, document["device_id"], event_time, document["event_type"], path, document["user_id"])
            if key not in newest or (upload, day) > newest[key][0]:
                newest[key] = ((upload, day), row)
    return {(*row, upload) for (upload, _), row in newest.values()}, read


def found_events(running: Services) -> list[tuple[Any, ...]]:
    return running.query(
        "select event_date, device_id, event_at, event_type, path, user_id, server_uploaded_at "
        "from product.fct__user_events"
    )


def assert_tables_hold_what_was_served(running: Services) -> None:
    assert found_activities(running) == expected_activities(running)
    assert_events_are_those_served(running)
    assert_days_were_read_as_served(running)


def assert_events_are_those_served(running: Services) -> None:
    events, _ = expected_events(running)
    found = found_events(running)
    assert len(found) == len(events)
    assert set(found) == events


def assert_days_were_read_as_served(running: Services) -> None:
    """The newest load of each day read as many records as the service's last answer held."""
    _, read = expected_events(running)
    recorded = running.lake_rows(
        "records/loads", "partition_date, arg_max(records_read, loaded_at)", "source = 'user_events' group by all"
    )
    assert dict(recorded) == read


def assert_lake_holds_the_activities_served(running: Services, read_until_the_end: date) -> None:
    """Each as it was served last; of those that the last run read again it is also known whether they are deleted."""
    columns = "activity_id, activity_name, distance_m, moving_time_s, kudos_count, started_at, deleted_at is not null"
    found = sorted(running.lake_rows("raw_strava/activities", columns))
    expected = expected_activities(running)
    assert [row[:-1] for row in found] == [row[:-1] for row in expected]
    since = datetime.combine(read_until_the_end, datetime.min.time())
    assert [row for row in found if row[5] >= since] == [row for row in expected if row[5] >= since]
