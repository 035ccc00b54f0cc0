"""The tables that metrics count and sum, with the grains and dimensions at which their rows can be counted right.

Belongs here: how the published tables are read for metrics. Not here: what is computed from them (`catalog.py`).

A fact can be counted anew for any period, distinct users as well. A table by week cannot: its weeks do not add up to
months, and who is new or gone in a month is not who was in its weeks.
"""

from collections.abc import Callable, Collection

import yaml

from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.metrics.definition import GRAINS, MetricTable
from engagement_assets.sources import CROSS_SOURCE_AREA, source_named

_PLAYED_BY = {
    name: name
    for name in (
        "country_code",
        "os_name",
        "os_version",
        "app_version",
        "subscription_status",
        "activity_type",
        "collection_id",
    )
}
_WEEKLY_ENGAGEMENT = f"{CROSS_SOURCE_AREA}.weekly_engagement"
_WEEKLY_RETENTION = f"{CROSS_SOURCE_AREA}.weekly_retention"


def _as_it_is(table: str) -> Callable[[Collection[str]], str]:
    return lambda _published: table


def engaged_units(published: Collection[str]) -> str:
    """SQL of the units of engagement of all sources whose facts are published: what `weekly_engagement` counts.

    The variable `engaged_sources` of the dbt project says where they are. As there, weeks after the newest load of a
    source are left out, since only a wrong clock of a device can have dated them.
    """
    project = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
    selects = [
        "select cast(null as varchar) as source, cast(null as varchar) as user_id, cast(null as date) as active_date, "
        "cast(null as bigint) as engaged_ms where false"
    ]
    for name, unit in project["vars"]["engaged_sources"].items():
        fact = f"{source_named(name).area}.{unit['fact']}"
        engaged_ms = f"coalesce({unit['engaged_ms']}, 0)" if "engaged_ms" in unit else "null"
        if fact in published:
            selects.append(
                f"select '{name}', cast({unit['user_id']} as varchar), cast({unit['active_date']} as date), "
                f"cast({engaged_ms} as bigint) from {fact} where {unit.get('condition', 'true')}"
            )
    return f"""(
        select units.* from ({" union all ".join(selects)}) as units
        left join (
            select source, max(computed_at) as newest_loaded_at from {_WEEKLY_ENGAGEMENT} group by source
        ) as loads on units.source = loads.source
        where loads.newest_loaded_at is null or date_trunc('week', units.active_date) <= loads.newest_loaded_at
    ) as units"""


UNITS = MetricTable(
    name="the facts of all sources, counted as `engagement.weekly_engagement` counts them",
    marts=(_WEEKLY_ENGAGEMENT,),
    rows=engaged_units,
    dimensions={"source": "units.source"},
    day="units.active_date",
    grains=GRAINS,
    always_by=("source",),
    source="source",
)
WEEKS = MetricTable(
    name="`engagement.weekly_engagement`",
    marts=(_WEEKLY_ENGAGEMENT,),
    rows=_as_it_is(_WEEKLY_ENGAGEMENT),
    dimensions={"source": "source"},
    day="week_start_date",
    grains=("week",),
    limit="who is new, returning or gone is known from one week to the next, and weeks do not add up to months",
    always_by=("source",),
    is_complete="bool_and(is_complete_week)",
)
COHORTS = MetricTable(
    name="`engagement.weekly_retention`",
    marts=(_WEEKLY_RETENTION,),
    rows=_as_it_is(_WEEKLY_RETENTION),
    dimensions={"source": "source", "weeks_since": "weeks_since"},
    day="cohort_week_start_date",
    grains=("week",),
    limit="a cohort is that of a week, the first one in which its users were active",
    always_by=("source", "weeks_since"),
    is_complete="bool_and(is_complete_week)",
)
PLAYS = MetricTable(
    name="`learning.engagement_daily`",
    marts=("learning.engagement_daily",),
    rows=_as_it_is("learning.engagement_daily"),
    dimensions={**_PLAYED_BY, "activity_id": "activity_id"},
    day="event_date",
    grains=GRAINS,
    source="'lingokids'",
)
EXITS = MetricTable(
    name="`learning.fct__activity_exits`",
    marts=("learning.fct__activity_exits",),
    rows=_as_it_is("learning.fct__activity_exits"),
    dimensions=_PLAYED_BY,
    day="event_date",
    grains=GRAINS,
    source="'lingokids'",
)
SESSIONS = MetricTable(
    name="`mobility.fct__mobile_sessions`",
    marts=("mobility.fct__mobile_sessions",),
    rows=_as_it_is("mobility.fct__mobile_sessions"),
    dimensions={"zone": "zone", "os_name": "os_name", "app_version": "app_version"},
    day="session_date",
    grains=GRAINS,
    source="'mobile'",
)
EVENTS = MetricTable(
    name="`product.fct__user_events`",
    marts=("product.fct__user_events",),
    rows=_as_it_is("product.fct__user_events"),
    dimensions={
        "event_type": "event_type",
        "user_role": "user_role",
        "is_user_corporate_demo": "is_user_corporate_demo",
    },
    day="event_date",
    grains=GRAINS,
    source="'user_events'",
)
LAPS = MetricTable(
    name="`training.lap_pace_adherence`, by the day of the activity; laps of activities without a date are left out",
    marts=("training.lap_pace_adherence", "training.fct__activities", "training.dim__workouts"),
    rows=_as_it_is(
        "training.lap_pace_adherence as laps "
        "inner join training.fct__activities as activities on laps.activity_id = activities.activity_id "
        "left join training.dim__workouts as workouts on laps.workout_id = workouts.workout_id"
    ),
    dimensions={"run_type": "coalesce(workouts.run_type, 'unknown')"},
    day="activities.activity_date",
    grains=GRAINS,
    source="'runna'",
)
PLAN_WEEKS = MetricTable(
    name="`training.weekly_plan_distance`",
    marts=("training.weekly_plan_distance",),
    rows=_as_it_is("training.weekly_plan_distance"),
    dimensions={"week_of_plan": "week_of_plan"},
    limit="its weeks are those of plans, which users begin when they like: they have a number, and no date",
)
KUDOS_WEEKS = MetricTable(
    name="`strava.strava_weekly_kudos_change`",
    marts=("strava.strava_weekly_kudos_change",),
    rows=_as_it_is("strava.strava_weekly_kudos_change"),
    dimensions={"workout_type_name": "workout_type_name"},
    day="week_start_date",
    grains=("week",),
    limit="it compares a week with the week before, and the changes of weeks do not add up to that of a month",
    source="'strava'",
)
