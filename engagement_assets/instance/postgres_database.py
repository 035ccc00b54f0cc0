"""The database that DAGSTER_STORAGE_URL names: its URL as each reader spells it, and whether it can be used.

Belongs here: what is known of the database without Dagster. Not here: Dagster's storage in it (`postgres_storage.py`).
"""

from importlib import import_module
from importlib.util import find_spec

from engagement_assets.settings import Settings
from engagement_assets.storage_url import ESCAPES

# A person waits for this.
_CONNECTS_WITHIN_S = 5


def url_for_sqlalchemy(url: str) -> str:
    """The URL with the driver that Dagster's storage uses; without it, SQLAlchemy 2.1 looks for psycopg 3."""
    return f"postgresql+psycopg2://{url.partition('://')[2]}"


def why_database_is_unusable(settings: Settings) -> str | None:
    """Why Dagster cannot keep its runs in the database, after asking it; None if it can, or if none is set."""
    if not (url := settings.dagster_storage_url):
        return None
    if find_spec("dagster_postgres") is None:
        return "DAGSTER_STORAGE_URL needs the extra postgres; run `pip install 'engagement-assets[postgres]'`"
    psycopg2, extensions = import_module("psycopg2"), import_module("psycopg2.extensions")
    dsn = f"postgresql://{url.get_secret_value().partition('://')[2]}"
    try:
        extensions.parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        # The message would show what it could not read, such as a part of a password.
        return f"DAGSTER_STORAGE_URL: expected a URL that PostgreSQL's library can read, found another one; {ESCAPES}"
    try:
        psycopg2.connect(dsn, connect_timeout=_CONNECTS_WITHIN_S).close()
    except psycopg2.Error as error:
        # Names host, port, user and database, and no password.
        found = " ".join(str(error).split())
        return f"DAGSTER_STORAGE_URL: expected a database that lets the project in, found: {found}"
    return None
