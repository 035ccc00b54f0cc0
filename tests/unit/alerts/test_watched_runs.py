"""Which runs the alerts watch, by Dagster's numbers of runs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from engagement_assets.alerts.run_results import FIRST_LOOK_BACK, NEWEST_RUN, watch_new_runs
from engagement_assets.alerts.store import IN_MEMORY, RUN_OVERLAP, AlertStore, alert_store

SUCCESS, STARTED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED


@pytest.fixture
def store() -> Iterator[AlertStore]:
    with alert_store(IN_MEMORY) as opened:
        yield opened


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def _runs(instance: dg.DagsterInstance, count: int, status: dg.DagsterRunStatus) -> set[str]:
    return {create_run_for_test(instance, status=status).run_id for _ in range(count)}


def test_all_runs_of_records_that_were_made_anew_are_watched(instance: dg.DagsterInstance, store: AlertStore) -> None:
    store.remember(NEWEST_RUN, "5000")
    runs = _runs(instance, 2 * RUN_OVERLAP + 1, STARTED)
    assert watch_new_runs(instance, store, datetime.now(UTC)) == len(runs)
    assert store.watched().keys() == runs


def test_records_that_were_restored_are_looked_at_as_at_the_first_time(
    instance: dg.DagsterInstance, store: AlertStore
) -> None:
    store.remember(NEWEST_RUN, "5000")
    ended, goes_on = _runs(instance, 2, SUCCESS), _runs(instance, 1, STARTED)
    watch_new_runs(instance, store, datetime.now(UTC) + FIRST_LOOK_BACK + timedelta(hours=1))
    assert store.watched().keys() == goes_on
    store.remember(NEWEST_RUN, "5000")
    watch_new_runs(instance, store, datetime.now(UTC))
    assert store.watched().keys() == goes_on | ended


def test_runs_that_are_known_are_not_looked_through_again(instance: dg.DagsterInstance, store: AlertStore) -> None:
    old = _runs(instance, 2 * RUN_OVERLAP + 1, STARTED)
    store.remember(NEWEST_RUN, str(len(old)))
    new = _runs(instance, 1, STARTED)
    watch_new_runs(instance, store, datetime.now(UTC))
    watched = store.watched().keys()
    assert new <= watched
    assert len(watched) == 2 * RUN_OVERLAP
