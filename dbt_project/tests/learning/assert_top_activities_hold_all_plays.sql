-- Guards the ranking: in each grain the activities add up to all plays and all time.
with

all_plays as (

    select
        sum(plays) as plays,
        sum(completed_plays) as completed_plays,
        sum(duration_ms) as duration_ms,
        sum(played_ms) as played_ms

    from {{ ref('engagement_yearly') }}

),

plays_by_grain as (

    select
        grain,
        sum(plays) as plays,
        sum(completed_plays) as completed_plays,
        sum(duration_ms) as duration_ms,
        sum(played_ms) as played_ms

    from {{ ref('top_activities') }}
    group by grain

)

select
    plays_by_grain.grain,
    plays_by_grain.plays,
    all_plays.plays as expected_plays

from plays_by_grain
cross join all_plays
where
    plays_by_grain.plays <> all_plays.plays
    or plays_by_grain.completed_plays <> all_plays.completed_plays
    or plays_by_grain.duration_ms <> all_plays.duration_ms
    or plays_by_grain.played_ms <> all_plays.played_ms
