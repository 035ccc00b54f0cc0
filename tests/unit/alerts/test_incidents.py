"""One incident from state to state: what opens it, when it is reported again, what resolves it and what does not."""

from datetime import timedelta

import msgspec
import pytest

from engagement_assets.alerts.incidents import WHOLE, Change, Incident, Kind, Outcome, Severity, follow, remind
from tests.unit.alerts.alert_outcomes import CHECK, FINDING, START, after, failed, passed

ONE, TWO, THREE = "2024-01-01", "2024-01-02", "2024-01-03"


def _never(_outcome: Outcome, _day: str) -> bool:
    return False


def _reported(*steps: Outcome | list[Outcome]) -> tuple[list[Change | None], Incident | None]:
    """What each step reports, which is one outcome or several of a run, and the incident at the end."""
    incident, changes = None, []
    for step in steps:
        outcomes = step if isinstance(step, list) else [step]
        incident, transition = follow(incident, outcomes, _never, outcomes[-1].at)
        changes.append(transition.change if transition else None)
    return changes, incident


def test_a_failure_opens_and_a_repeat_says_nothing() -> None:
    changes, incident = _reported(failed(ONE), failed(ONE, at=after(hours=1)))
    assert changes == [Change.OPENED, None]
    assert incident is not None
    assert (incident.failures, incident.opened_at, incident.told_at) == (2, START, START)


def test_a_passing_check_without_an_incident_says_nothing() -> None:
    assert _reported(passed(ONE)) == ([None], None)


def test_a_pass_on_another_day_does_not_resolve() -> None:
    changes, incident = _reported(failed(ONE), passed(TWO, THREE), passed(ONE, at=after(hours=3)))
    assert changes == [Change.OPENED, None, Change.RESOLVED]
    assert incident is None


def test_an_incident_stays_open_until_its_last_day_is_fixed() -> None:
    changes, incident = _reported(failed(ONE, THREE), passed(ONE, TWO))
    assert changes == [Change.OPENED, None]
    assert incident is not None
    assert incident.failing_days == {THREE: Severity.ERROR}


def test_a_day_that_fails_in_a_range_stays_open_while_the_others_resolve() -> None:
    changes, incident = _reported(failed(ONE, TWO), failed(TWO, judged=(ONE, THREE)))
    assert changes == [Change.OPENED, None]
    assert incident is not None
    assert list(incident.failing_days) == [TWO]


def test_another_failing_day_is_told_at_once() -> None:
    assert _reported(failed(ONE), failed(TWO))[0] == [Change.OPENED, Change.STILL_FAILING]


def test_a_warning_that_becomes_an_error_escalates_once() -> None:
    warning = failed(ONE, severity=Severity.WARN)
    assert _reported(warning, failed(ONE), warning, failed(ONE))[0] == [Change.OPENED, Change.ESCALATED, None, None]


def test_an_asset_as_a_whole_is_fixed_by_any_passing_evaluation() -> None:
    changes, incident = _reported(failed(), passed(TWO))
    assert changes == [Change.OPENED, Change.RESOLVED]
    assert incident is None


def test_a_check_that_fails_and_passes_within_one_run_is_not_reported() -> None:
    assert _reported([failed(ONE), passed(ONE)])[0] == [None]
    assert _reported(failed(ONE), [passed(ONE), failed(ONE)])[0] == [Change.OPENED, None]


def test_an_evaluation_that_was_made_before_another_one_changes_nothing() -> None:
    """A run that ends later may have judged earlier."""
    late = failed(ONE, TWO)
    incident, transition = follow(None, [late], lambda _, day: day == ONE, START)
    assert incident is not None
    assert list(incident.failing_days) == [TWO]
    assert transition is not None
    assert follow(None, [late], lambda _outcome, _day: True, START) == (None, None)
    assert follow(incident, [passed(TWO)], lambda _outcome, _day: True, START) == (incident, None)


def test_a_resolve_says_how_long_it_lasted() -> None:
    incident, _ = follow(None, [failed(ONE)], _never, START)
    _, transition = follow(incident, [passed(ONE, at=after(hours=30))], _never, after(hours=31))
    assert transition is not None
    assert transition.lasted == timedelta(hours=30)


@pytest.mark.parametrize(("hours", "reminded"), [(23.9, False), (24, True)])
def test_what_keeps_failing_is_reported_again_after_a_while(hours: float, reminded: bool) -> None:
    incident, _ = follow(None, [failed(ONE)], _never, START)
    assert incident is not None
    reminder = remind(incident, timedelta(hours=24), after(hours=hours))
    assert (reminder is not None) == reminded
    if reminder:
        assert reminder.change == Change.STILL_FAILING
        assert reminder.incident.told_at == after(hours=hours)


def test_a_check_that_never_ran_is_reported_once_and_not_resolved() -> None:
    subject = msgspec.structs.replace(CHECK, kind=Kind.NOT_RUN)
    missing = Outcome(subject, START, (ONE, ONE), (WHOLE,), Severity.WARN, FINDING)
    incident, opened = follow(None, [missing], _never, START)
    assert opened is not None
    assert incident is not None
    assert remind(incident, timedelta(hours=1), after(days=9)) is None
    assert follow(incident, [Outcome(subject, START, (ONE, ONE))], _never, START) == (None, None)
