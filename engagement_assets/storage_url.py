"""The URL of the database in which Dagster keeps its records, as it may be written.

Belongs here: what a URL must be so that all of its readers split it alike. Not here: the setting (`settings.py`), or
the database (`instance/postgres_database.py`).
"""

import re

POSTGRESQL_SCHEMES = ("postgresql", "postgresql+psycopg2", "postgres")
ESCAPES = "write / @ % and blanks in the user, the password and all else as %2F %40 %25 %20"
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:[0-9]*)?")
_NOT_ESCAPED = re.compile(r"\s|%(?!(?!00)[0-9A-Fa-f]{2})")


def why_url_is_refused(url: str) -> str | None:
    """What is wrong with a URL, without any part of it, since it holds a password; None if nothing is.

    A reader that takes a part of a password for the host or the port shows it in its messages.
    """
    scheme, _, rest = url.partition("://")
    if not (scheme in POSTGRESQL_SCHEMES and rest):
        return f"found one that does not begin with {'://, '.join(POSTGRESQL_SCHEMES)}://"
    before, at, after = rest.partition("@")
    hosts = re.split("[/?]", after if at else rest, maxsplit=1)[0]
    is_split_alike = "@" not in after and not (at and "/" in before)
    if is_split_alike and all(map(_HOST_AND_PORT.fullmatch, hosts.split(","))) and not _NOT_ESCAPED.search(rest):
        return None
    return f"found one that can be read in more than one way, or not at all; {ESCAPES}"
