select cast(day as date) as batch_date
from {{ days_in_lake('raw_runna', 'activities') }}
