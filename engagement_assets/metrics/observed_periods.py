"""Which periods of a source are complete: each of their days was loaded after it had ended (UTC).

Belongs here: finding them in the published records of loads. Not here: what is shown of an incomplete period.
"""

from collections.abc import Iterable


def observed_periods_sql(grains: Iterable[str]) -> str:
    """A query: `source`, `grain`, `period` (its first day) and `is_complete` of all periods with an observed day.

    A day is observed if it was loaded after it had ended. Only the datasets of what people did count: loads of a
    source's other datasets say nothing about its days.
    """
    periods = " union all ".join(
        f"""
        select source, '{grain}' as grain, cast(date_trunc('{grain}', observed_date) as date) as period,
            count(*) = date_diff(
                'day',
                cast(date_trunc('{grain}', any_value(observed_date)) as date),
                cast(date_trunc('{grain}', any_value(observed_date)) + interval 1 {grain} as date)
            ) as is_complete
        from observed group by all
        """
        for grain in grains
    )
    return f"""
        with observed as (
            select distinct source, partition_date as observed_date from audit.ingestion_loads
            where dataset in ('activities', 'events') and status = 'published'
                and partition_date is not null and loaded_at >= partition_date + interval 1 day
        )
        {periods}
    """
