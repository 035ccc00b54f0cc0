"""Which events dbt makes: those that somebody reads.

Belongs here: leaving out events for debugging, which were a quarter of what dbt's builds cost. Not here: what a build
takes from the others (see `transform/build.py`). It imports dbt, so only those who run dbt import it.
"""

from typing import Any

from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager


class _WithoutDebugging(EventManager):
    def fire_event(self, e: BaseEvent, level: EventLevel | None = None, *arguments: Any, **named: Any) -> None:
        if (level or e.level_tag()) != EventLevel.DEBUG:
            super().fire_event(e, level, *arguments, **named)


def leave_out_debugging_events() -> None:
    """Make no event for debugging in this process from now on: no log of ours has them."""
    ctx_set_event_manager(_WithoutDebugging())
