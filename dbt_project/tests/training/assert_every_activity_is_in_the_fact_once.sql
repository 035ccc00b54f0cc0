-- Every activity that the lake holds, in any batch, has one row in the fact.
with

facts as (

    select count(*) as activities from {{ ref('fct__activities') }}

),

in_lake as (

    select count(distinct activity_id) as activities
    from {{ ref('int_runna_activities_by_batch_date') }}
    where is_in_lake

)

select
    facts.activities as activities_in_fact,
    in_lake.activities as activities_in_lake

from facts
cross join in_lake
where facts.activities <> in_lake.activities
