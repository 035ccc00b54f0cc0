-- Finds a snapshot of users that is missing or old: at most one play in twenty may be by a user who
-- is in no snapshot (in the January 2021 sample there is none).
select
    count(*) as plays,
    count(*) filter (where subscription_status = 'unknown') as plays_of_unknown_users

from {{ ref('fct__activity_exits') }}
having count(*) filter (where subscription_status = 'unknown') * 20 > count(*)
