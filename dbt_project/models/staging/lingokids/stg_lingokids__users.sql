with

users as (

    select * from {{ source('raw_lingokids', 'users') }}

),

renamed as (

    select
        ---------- ids
        user_id,

        ---------- strings
        source_path,

        ---------- numerics
        children_count,

        ---------- timestamps
        registration_at,
        trial_start_at,
        trial_end_at,
        subscription_start_at,
        subscription_expire_at,
        extracted_at,

        ---------- columns that tables group by: what was not sent has a name, too
        coalesce(nullif(trim(country_code), ''), 'unknown') as country_code

    from users

)

select * from renamed
