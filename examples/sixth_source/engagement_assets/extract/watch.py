"""Watch activities, from CSV files with one row per activity.

Belongs here: the dataset, what a row holds, and what the rest of the project needs to know of the source. Not here: how
rows are read (`lines/`), or how days are written (`lake/`).
"""

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.contracts.source import Source
from engagement_assets.extract.lines.csv_shape import CsvColumn, CsvKind, CsvShape
from engagement_assets.extract.lines.readers import EventLog, raw_columns

ACTIVITY = CsvShape(
    columns=(
        CsvColumn("activity_id", required=True),
        CsvColumn("user_id", required=True),
        CsvColumn("country"),
        CsvColumn("activity_type"),
        CsvColumn("started_at", CsvKind.INSTANT, required=True),
        CsvColumn("duration_s", CsvKind.INTEGER),
        CsvColumn("distance_m", CsvKind.NUMBER),
    ),
    moment="started_at",
)

WATCH_ACTIVITIES = Dataset(
    key="raw_watch/activities",
    description="One row per activity that a watch recorded; the day is the UTC day of `started_at`.",
    columns=raw_columns(ACTIVITY),
    identity=("activity_id",),
    append_only=True,
    personal={"user_id": PersonalKind.USER},
    impersonal="activity_id, country, activity_type, started_at, duration_s, distance_m",
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
