-- Every observation that the lake holds, under any day, has one row in the history. Returns the
-- observations whose counts differ.
with

observed as (

    select distinct
        activity_id,
        observed_on

    from {{ ref('int_strava_activity_kudos_by_day') }}
    where kudos_count is not null

),

in_history as (

    select
        activity_id,
        observed_on,
        count(*) as row_count

    from {{ ref('strava_kudos_history') }}
    group by activity_id, observed_on

)

select
    coalesce(observed.activity_id, in_history.activity_id) as activity_id,
    coalesce(observed.observed_on, in_history.observed_on) as observed_on,
    observed.activity_id is not null as is_observed,
    coalesce(in_history.row_count, 0) as rows_in_history

from observed
full outer join in_history
    on
        observed.activity_id = in_history.activity_id
        and observed.observed_on = in_history.observed_on
where
    observed.activity_id is null
    or in_history.row_count is null
    or in_history.row_count > 1
