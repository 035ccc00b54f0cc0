"""The names in a check's metadata.

Belongs here: names that checks write and that alerts and the report read. Not here: what a check judges. A check writes
those that apply; its sentence for people is the result's description.
"""

# Days (ISO dates, a list) that failed, where the check judges days; a run of consecutive days may be one
# interval, `2024-01-01/2024-02-10` (`day_ranges.py`).
FAILING_DAYS = "failing_days"
# The first and last day (ISO dates, inclusive) that were judged, which need not be those of the run: a daily run reads
# trailing days again. A day between them that is not among the failing ones passed.
FIRST_DAY_JUDGED = "first_day_judged"
LAST_DAY_JUDGED = "last_day_judged"
# True if a check passes because it had nothing to judge. That does not settle an earlier failure.
NOT_JUDGED = "not_judged"
# Days (ISO dates, a list) that are held for this check.
HELD_DAYS = "held_days"
# What was found and what should have been found, each a short text or a number.
OBSERVED = "observed"
EXPECTED = "expected"
# How many rows fail, up to five of their keys (pseudonyms where the column is personal), and a query that shows them.
FAILING_ROWS = "failing_rows"
FAILING_KEYS = "failing_keys"
FAILING_ROWS_SQL = "failing_rows_sql"
# Whether the failure stopped data: a held day, or tables downstream that were not built.
BLOCKED = "blocked"
