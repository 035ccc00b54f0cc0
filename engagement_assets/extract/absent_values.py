"""What counts as an absent value: one rule for every field of every source.

Belongs here: the rule, for Python and as SQL for DuckDB. Not here: which fields a record has, or what becomes of a
required one that is absent (the reader of each kind of record).

PHP sends `[]` for an absent object or number, spreadsheets send an empty text, and forms send blanks. Such a value says
nothing: an optional field is then NULL, and a required one is missing.
"""

# The characters that Unicode calls white space, and invisible zero-width ones. To Python, the last control characters
# of ASCII, from the file separator on, are white space too.
BLANKS = (
    "\t\n\v\f\r \x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)


def is_absent(value: object, *, list_is_meant: bool = False) -> bool:
    """Whether a decoded value is absent: null, a text of blanks alone, or an empty list where no list is meant."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip(BLANKS)
    return isinstance(value, list | tuple) and not value and not list_is_meant


def is_blank_sql(text: str) -> str:
    """SQL for whether the SQL text `text` is empty or only blanks; NULL for NULL."""
    # Trimming takes a microsecond a text. The first character is enough for most: no blank lies between these two.
    return f"""
        (case
            when {text} between '!' and '~' then false
            when {text} = '' then true
            else trim({text}, '{BLANKS}') = ''
        end)"""
