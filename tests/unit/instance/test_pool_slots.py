"""A run that waits for a slot of a pool sleeps in between."""

import time
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.plan import instance_concurrency_context

from engagement_assets.dagster_internals import InstanceConcurrencyContext
from engagement_assets.instance.pool_slots import LONGEST_SLEEP_S, seconds_to_next_question, sleep_until_asked_again

POOL = "warehouse"
ANOTHER_STEP = ("another run", "its step")
ONE_SLOT = {"concurrency": {"pools": {"default_limit": 1, "granularity": "op"}}}


def _dagsters_own() -> Callable[[Any], float]:
    """As Dagster has it, whatever other tests in this process have put in its place."""
    spec = find_spec(instance_concurrency_context.__name__)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    own: Callable[[Any], float] = module.InstanceConcurrencyContext.interval_to_next_pending_claim_check
    return own


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that an executor looked at while it waited; the other run gives its slot back after the first."""
    asked: list[str] = []
    claim = InstanceConcurrencyContext.claim

    def counted(context: InstanceConcurrencyContext, pool: str, step: str, priority: int = 0) -> bool:
        asked.append(step)
        is_claimed = claim(context, pool, step, priority)
        context._instance.event_log_storage.free_concurrency_slot_for_step(*ANOTHER_STEP)
        return is_claimed

    monkeypatch.setattr(InstanceConcurrencyContext, "claim", counted)
    monkeypatch.setattr(InstanceConcurrencyContext, "interval_to_next_pending_claim_check", _dagsters_own())
    monkeypatch.setattr(instance_concurrency_context, "INITIAL_INTERVAL_VALUE", 0.3)
    return asked


@dg.asset(pool=POOL)
def table() -> None:
    """An asset of the pool."""


def _build_beside_another_run() -> None:
    """Build the asset while another run has the slot."""
    with dg.instance_for_test(overrides=ONE_SLOT) as instance:
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default(POOL)
        assert storage.claim_concurrency_slot(POOL, *ANOTHER_STEP).is_claimed
        job = dg.Definitions(assets=[table], executor=dg.in_process_executor).resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance).success


def test_a_step_that_waits_is_looked_at_when_it_asks_again(questions: list[str]) -> None:
    sleep_until_asked_again()
    _build_beside_another_run()
    assert set(questions) == {"table"}
    # In vain, and with success; and maybe once just before its time.
    assert 2 <= len(questions) <= 3


def test_dagster_itself_would_not_sleep() -> None:
    """If this fails, Dagster sleeps, and `instance/pool_slots.py` can go."""
    with dg.instance_for_test() as instance:
        context = InstanceConcurrencyContext(instance, dg.DagsterRun("job"))
    context._pending_claims.add("waiting")
    context._pending_timeouts["waiting"] = time.time() + 3_600
    assert _dagsters_own()(context) == 0


@pytest.mark.parametrize(
    ("waits", "expected"),
    [({}, 0), ({"a": -1}, 0), ({"a": 0.2}, 0.2), ({"a": 0.2, "b": -1}, 0), ({"a": 20, "b": 30}, LONGEST_SLEEP_S)],
    ids=["nobody waits", "late", "soon", "one of two is late", "much later"],
)
def test_the_sleep_ends_at_the_next_question(
    waits: dict[str, float], expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    with dg.instance_for_test() as instance:
        context = InstanceConcurrencyContext(instance, dg.DagsterRun("job"))
    context._pending_timeouts.update({step: 1_000 + seconds for step, seconds in waits.items()})
    assert seconds_to_next_question(context) == pytest.approx(expected)
