"""Watch activities of the sample: one CSV file per day, with times in several formats.

Belongs here: rows and files. Not here: writing to disk (`sample_data.py`).
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from engagement_assets.sandbox.sample_draws import SampleParameters
from engagement_assets.sandbox.sample_ledger import LedgerKeeper

HEADER = "activity_id,user_id,country,activity_type,started_at,duration_s,distance_m"
ACTIVITIES_PER_DAY = 8
USERS = 20
COUNTRIES = ("DE", "ES", "SE")
ACTIVITY_TYPES = ("run", "walk", "ride")
# Different devices write the same moment in these ways.
TIME_FORMATS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S+00", "%Y-%m-%d %H:%M:%S UTC")
# On one day in this many, the last row has no time.
DAYS_PER_BROKEN_ROW = 10


def watch_files(parameters: SampleParameters, keeper: LedgerKeeper) -> Iterator[tuple[str, bytes]]:
    """The files, as keys below the landing zone and contents; each record is counted in `keeper`."""
    for index in range(parameters.days):
        day, draw = parameters.day(index), parameters.stream("watch", str(index))
        rows = []
        for number in range(ACTIVITIES_PER_DAY):
            user, duration_s = draw.randrange(USERS), draw.randint(600, 5_400)
            started_at = datetime.combine(day, time(6)) + timedelta(hours=number, seconds=draw.randrange(3_600))
            is_broken = index % DAYS_PER_BROKEN_ROW == 1 and number == ACTIVITIES_PER_DAY - 1
            activity_id = f"watch-{day:%Y%m%d}-{number}"
            when = "" if is_broken else started_at.strftime(TIME_FORMATS[number % len(TIME_FORMATS)])
            what = ACTIVITY_TYPES[number % len(ACTIVITY_TYPES)]
            distance_m = round(duration_s * draw.uniform(1.2, 6.0), 1)
            country = COUNTRIES[user % len(COUNTRIES)]
            rows.append(f"{activity_id},user-{user},{country},{what},{when},{duration_s},{distance_m}")
            if is_broken:
                keeper.broken("raw_watch/activities", day, "missing_started_at")
            else:
                keeper.usable("raw_watch/activities", day, activity_id)
        yield f"watch/activities/{day}.csv", "\n".join([HEADER, *rows, ""]).encode()
