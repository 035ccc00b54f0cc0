"""A lake that erases persons, and erasing them.

Belongs here: what the tests of erasures share. Not here: what an erasure must leave.
"""

from pathlib import Path
from typing import Any

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.lake.erasure import erase
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.tombstones import Request
from engagement_assets.privacy.policy import PrivacyPolicy
from tests.lake_loads import DAY_1, DAY_2, events, load_time, publish, window

KEY = "e" * 32


def erasing_lake(folder: Path, **policy: Any) -> Lake:
    landed = frozenset({PersonalKind.CHILD, PersonalKind.DEVICE})
    own = PrivacyPolicy(erasure_key=KEY, erasures=folder / "erasures", landed_unneeded=landed, **policy)
    return Lake(str(folder / "lake"), own)


def erase_persons(lake: Lake, source: str, kind: str, *ids: str) -> Request:
    return erase(lake, source, PersonalKind(kind), ids, load_time(100))


def load_events(lake: Lake, number: int, *rows: Any, **found: Any) -> None:
    publish(lake, events(*rows, **found), window(DAY_1, DAY_2), number, name="lingokids_events")
