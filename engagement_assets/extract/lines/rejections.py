"""Rules by which a record is rejected, as SQL for DuckDB.

Belongs here: the form of a rule, and the rules that all kinds of lines share. Not here: what one kind of line must look
like (`csv_shape.py`, `json_records.py`).
"""

from collections.abc import Sequence

from engagement_assets.contracts.extraction import OUTSIDE_CALENDAR, Calendar


def outside_calendar(calendar: Calendar, moment: str, name: str, text: str) -> tuple[str, str, str]:
    """The rule for a record whose own time no load is for: condition, reason code and message, all but the code SQL.

    `moment` is the SQL instant that dates the record, `text` how the record writes it in the field `name`.
    """
    message = f"'{name}: expected a day from {calendar}, found ' || left({text}, 64)"
    return calendar.is_outside_sql(moment), OUTSIDE_CALENDAR, message


def first_of(rules: Sequence[tuple[str, str, str]]) -> str:
    """SQL for the first rule whose condition holds, NULL without one, from conditions, reason codes and messages."""
    cases = " ".join(
        f"when {condition} then {{'reason_code': '{reason_code}', 'message': {message}}}"
        for condition, reason_code, message in rules
    )
    return f"case {cases} end" if cases else "null"
