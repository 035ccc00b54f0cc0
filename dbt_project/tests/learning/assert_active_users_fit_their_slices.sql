-- Guards the distinct counts: every user who played is in at least one value of each dimension. So
-- the number of all users is at least that of the largest value, and at most the sum over the
-- values.
with

slices as (

    select
        grain,
        period_start_date,
        dimension_name,
        max(active_users) as largest,
        sum(active_users) as added_up

    from {{ ref('learning_active_users') }}
    where dimension_name <> 'all'
    group by grain, period_start_date, dimension_name

)

select
    slices.grain,
    slices.period_start_date,
    slices.dimension_name,
    slices.largest,
    slices.added_up,
    all_users.active_users

from slices
left join {{ ref('learning_active_users') }} as all_users
    on
        slices.grain = all_users.grain
        and slices.period_start_date = all_users.period_start_date
        and all_users.dimension_name = 'all'
where
    all_users.active_users is null
    or all_users.active_users < slices.largest
    or all_users.active_users > slices.added_up
