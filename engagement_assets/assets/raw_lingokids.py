"""Raw assets of the learning app: events by day, users and activities from full snapshots.

Belongs here: which checks judge a load. Not here: how lines are read (see `extract/lingokids.py`).
"""

from collections.abc import Callable
from datetime import date

import dagster as dg

from engagement_assets.extract import lingokids
from engagement_assets.extract.extraction import Extraction
from engagement_assets.lake.datasets import (
    LINGOKIDS_ACTIVITIES,
    LINGOKIDS_USERS,
)


def raw_lingokids_assets(start_date: date) -> list[dg.AssetsDefinition]:
    """Events, partitioned by the day on which they occurred; users and activities, whole."""
    return [
        _events_asset(start_date),
        _snapshot_asset(LINGOKIDS_USERS, lingokids.extract_users),
        _snapshot_asset(LINGOKIDS_ACTIVITIES, lingokids.extract_activities),
    ]
