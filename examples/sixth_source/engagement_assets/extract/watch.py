"""Watch activities, from CSV files with one row an activity.

Belongs here: the dataset, what a row holds, and what the rest of the project needs to know of the source. Not here: how
rows are read (`lines/`), or how days are written (`lake/`).
"""

from types import MappingProxyType

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.source import Source
from engagement_assets.extract.lines.csv_shape import CsvColumn, CsvKind, CsvShape
from engagement_assets.extract.lines.readers import EventLog

WATCH_ACTIVITIES = Dataset(
    key="raw_watch/activities",
    description="One row per activity that a watch recorded; the day is the UTC day of `started_at`.",
    columns=MappingProxyType(
        {
            "activity_id": "VARCHAR",
            "user_id": "VARCHAR",
            "country": "VARCHAR",
            "activity_type": "VARCHAR",
            "started_at": "TIMESTAMP",
            "duration_s": "BIGINT",
            "distance_m": "DOUBLE",
            "_extra": "VARCHAR",
            "source_path": "VARCHAR",
            "extracted_at": "TIMESTAMP",
        }
    ),
    identity=("activity_id",),
    append_only=True,
    personal_columns=("user_id", "_extra", "source_path"),
)

ACTIVITY = CsvShape(
    columns=(
        CsvColumn("activity_id", "activity_id", required=True),
        CsvColumn("user_id", "user_id", required=True),
        CsvColumn("country", "country"),
        CsvColumn("activity_type", "activity_type"),
        CsvColumn("started_at", "started_at", CsvKind.INSTANT, required=True),
        CsvColumn("duration_s", "duration_s", CsvKind.INTEGER),
        CsvColumn("distance_m", "distance_m", CsvKind.NUMBER),
    ),
    moment="started_at",
    delimiter=",",
)

WATCH = Source(
    name="watch",
    title="Watch activities",
    area="wellness",
    datasets=(WATCH_ACTIVITIES,),
    # A correction comes in a later file, whose path sorts last.
    readers=(EventLog(dataset=WATCH_ACTIVITIES, prefix="watch/activities", shape=ACTIVITY, last_path_wins=True),),
    sample="engagement_assets.sandbox.watch_sample:watch_files",
)
