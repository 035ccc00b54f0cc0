"""What can be refused before a command does any work: places that cannot be used, days and selections that cannot be.

Belongs here: what is found within a second, or as soon as S3 answers, before Dagster and dbt are imported. Not here:
the arguments themselves (`arguments.py`), or what only the definitions can tell (`range_run.py`).
"""

import errno
import os
import socket
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from engagement_assets.commands.arguments import CODE_SERVER, DAEMON, chosen_datasets, inclusive, port_of
from engagement_assets.commands.buckets import is_bucket, why_unsafe, why_unusable
from engagement_assets.commands.selection import why_selection_is_refused
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.installation import IS_CHECKOUT, PROGRAM
from engagement_assets.instance.home import why_home_is_refused
from engagement_assets.instance.postgres_database import why_database_is_unusable
from engagement_assets.metrics.question import QuestionError, question
from engagement_assets.settings import Settings
from engagement_assets.sources import SOURCES
from engagement_assets.spark_settings import ROWS_STAY_ON_SPARK, WarehouseEngine

Refusals = Iterator[str]
_MAX_PORT = 65_535
_CONNECT_S = 3
_INSTALL_SPARK = "run `make install`" if IS_CHECKOUT else "run `pip install 'engagement-assets[spark]'`"


def refusals(command: str, settings: Settings, given: Namespace) -> list[str]:
    """What stands in the way of a command, a sentence each; empty if nothing that can be told by now."""
    return [sentence for check in _CHECKS.get(command, ()) for sentence in check(settings, given)]


def _landing_zone(settings: Settings, _given: Namespace) -> Refusals:
    folder = local_path(settings.landing_uri)
    if folder is None:
        yield from _extra_of("LANDING_URI", settings.landing_uri)
    elif settings.runs_on_sample_data and not folder.is_dir():
        services = [each.title for each in SOURCES if each.required_settings and not settings.missing_for(each)]
        yield (
            f"there is no sample data yet: run {PROGRAM} demo first, or set LANDING_URI to the folder that holds your "
            "files" + (f"; it may be empty, to read {' and '.join(services)} alone" if services else "")
        )
    elif not folder.is_dir():
        what = "a file" if folder.exists() else "nothing"
        yield f"LANDING_URI: expected a folder such as that of runna/ and mobile_events/, found {what} at {folder}"
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield f"LANDING_URI: {folder} cannot be read by this user"


def _landing_bucket(settings: Settings, _given: Namespace) -> Refusals:
    if refused := why_unusable("LANDING_URI", settings.landing_uri):
        yield refused


def _written_buckets(settings: Settings, _given: Namespace) -> Refusals:
    if refused := why_unusable("LAKE_URI", settings.lake_uri) or why_unsafe(settings.lake_uri):
        yield refused
    if refused := why_unusable("EXPORT_DIR", settings.export_dir):
        yield refused


def _own_landing_zone(settings: Settings, given: Namespace) -> Refusals:
    """For a command that writes the sample data itself."""
    if not settings.runs_on_sample_data:
        yield from _landing_zone(settings, given)


def _places(settings: Settings, _given: Namespace) -> Refusals:
    lake = local_path(settings.lake_uri)
    if lake is None:
        yield from _extra_of("LAKE_URI", settings.lake_uri)
    else:
        yield from _folder("LAKE_URI", lake)
    yield from _warehouse(settings)
    yield from _file("PUBLISHED_WAREHOUSE_PATH", settings.published_warehouse_path)
    exports = local_path(settings.export_dir)
    if exports is None:
        yield from _extra_of("EXPORT_DIR", settings.export_dir)
    elif settings.export_dir:
        yield from _folder("EXPORT_DIR", exports)
    yield from _instance(settings)
    yield from _folder("REPORT_DIR", settings.report_dir)


def _warehouse(settings: Settings) -> Refusals:
    if settings.warehouse is WarehouseEngine.DUCKDB:
        yield from _file("WAREHOUSE_PATH", settings.warehouse_path)
    elif missing := [name for name in ("pyhive", "dbt.adapters.spark") if not find_spec(name)]:
        yield f"WAREHOUSE: spark needs the packages of the extra spark, found no {missing[0]}; {_INSTALL_SPARK}"
    else:
        host, port = settings.spark_thrift_host, settings.spark_thrift_port
        try:
            socket.create_connection((host, port), timeout=_CONNECT_S).close()
        except OSError as error:
            yield (
                f"SPARK_THRIFT_HOST: no Thrift server answers at {host}:{port} ({error.strerror or error}); start one "
                f"on this machine with `{PROGRAM} spark`, or name that of a cluster"
            )


def _tables_can_forget(settings: Settings, _given: Namespace) -> Refusals:
    if settings.warehouse is WarehouseEngine.SPARK:
        yield ROWS_STAY_ON_SPARK


def _deleted_activities_can_be_forgotten(settings: Settings, given: Namespace) -> Refusals:
    if settings.strava_deleted_retention_days and not given.dry_run:
        yield from _tables_can_forget(settings, given)


def _instance(settings: Settings) -> Refusals:
    yield from _folder("DAGSTER_HOME", settings.dagster_home)
    yield from filter(None, [why_home_is_refused(settings), why_database_is_unusable(settings)])


def _served(settings: Settings, given: Namespace) -> Refusals:
    """For a service that starts; one that is only asked has been refused already."""
    if given.check:
        return
    if given.workspace and not Path(given.workspace).is_file():
        yield f"WORKSPACE: expected a file such as workspace.yaml, found none at {given.workspace}"
    if given.service == CODE_SERVER:
        yield from _landing_zone(settings, given)
        yield from _places(settings, given)
    else:
        yield from _instance(settings)
    if given.service != DAEMON:
        yield from _port(settings, given)


def _port(_settings: Settings, given: Namespace) -> Refusals:
    text = port_of(given)
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_PORT):
        yield f"PORT: expected a number from 1 to {_MAX_PORT}, found {text!r}"
        return
    listen = getattr(given, "listen", "127.0.0.1")
    try:
        family, *_, address = socket.getaddrinfo(listen, int(text), type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            yield f"LISTEN: expected an address or a name of this machine, found {listen!r} ({error.strerror})"
        else:
            yield f"PORT: {text} cannot be used ({error.strerror}); name another one, such as PORT={int(text) + 1}"


def _days(settings: Settings, given: Namespace) -> Refusals:
    if given.first is None:
        return
    try:
        window = inclusive(given.first, given.last or given.first)
    except ValueError as error:
        yield str(error)
        return
    yield from outside(settings, window)


def outside(settings: Settings, window: DayWindow) -> Refusals:
    """Why the days of a window are no partitions."""
    if window.start < settings.start_date:
        yield (
            f"the range begins on {window.start}, before the first partition {settings.start_date}; "
            f"set START_DATE={window.start} or earlier"
        )
    last, last_day = window.days()[-1], settings.last_day_at(datetime.now(UTC))
    if last > last_day:
        why = "the sample's last day; set LANDING_URI for your own files" if settings.last_sample_day else "today (UTC)"
        yield f"the range ends on {last}, but the last partition is {last_day}, {why}"


def _datasets(_settings: Settings, given: Namespace) -> Refusals:
    try:
        chosen_datasets(given.source, given.dataset, has_days=given.first is not None)
    except ValueError as error:
        yield str(error)


def _selection(_settings: Settings, given: Namespace) -> Refusals:
    if refused := why_selection_is_refused(given.select):
        yield f"SELECT: {refused}"


def _published(settings: Settings, _given: Namespace) -> Refusals:
    if not settings.published_warehouse_path.is_file():
        yield (
            f"nothing is published in {settings.published_warehouse_path} yet; run {PROGRAM} demo or "
            f"{PROGRAM} backfill first"
        )


def _output(_settings: Settings, given: Namespace) -> Refusals:
    if given.limit and given.format != "table":
        yield f"LIMIT is for tables on the terminal, and {given.format} is complete; write the limit into the query"
    elif given.limit and not given.sql:
        yield "LIMIT is for the rows of a query; write one as SQL='select …'"
    yield from _spreadsheet(given)


def _metric(_settings: Settings, given: Namespace) -> Refusals:
    try:
        question(given.name, given.by, given.grain, given.first, given.last)
    except QuestionError as error:
        yield from error.sentences
    if given.limit and given.format != "table":
        yield f"LIMIT is for tables on the terminal, and {given.format} is complete; ask for fewer days by FROM and TO"
    yield from _spreadsheet(given)


def _metrics(_settings: Settings, given: Namespace) -> Refusals:
    yield from _spreadsheet(given)


def _spreadsheet(given: Namespace) -> Refusals:
    if given.spreadsheet and given.format != "csv":
        yield f"SPREADSHEET is for FORMAT=csv, found {given.format}"


def local_path(uri: str) -> Path | None:
    """The path of a folder on this machine, None if the URI names another place."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return Path(uri)
    return Path(rest) if scheme in {"file", "local"} else None


def _extra_of(setting: str, uri: str) -> Refusals:
    if is_bucket(uri) and find_spec("s3fs") is None:
        yield f"{setting}: {uri} needs the extra s3; run `pip install 'engagement-assets[s3]'`"


def _folder(setting: str, folder: Path) -> Refusals:
    """A folder need not exist, but it must be possible to create it and to write to it."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        yield f"{setting}: expected a folder, or room for one, found a file at {there}"
    elif not os.access(there, os.W_OK | os.X_OK):
        yield f"{setting}: {there} cannot be written to by this user"


def _file(setting: str, path: Path) -> Refusals:
    if path.is_dir():
        yield f"{setting}: expected a file, or room for one, found a folder at {path}"
    elif path.exists() and not os.access(path, os.W_OK):
        yield f"{setting}: {path} cannot be written to by this user"
    else:
        yield from _folder(setting, path.parent)


_CHECKS: Mapping[str, tuple[Callable[[Settings, Namespace], Refusals], ...]] = MappingProxyType(
    {
        "demo": (_places, _written_buckets),
        "serve": (_served,),
        "dev": (_own_landing_zone, _places, _port),
        "check": (_landing_zone, _landing_bucket),
        "backfill": (_days, _selection, _landing_zone, _places, _landing_bucket, _written_buckets),
        "release": (_days, _datasets, _places, _written_buckets),
        "replay": (_days, _datasets, _landing_zone, _places, _landing_bucket, _written_buckets),
        "report": (_published, _places),
        "ask": (_output, _published),
        "metrics": (_metrics,),
        "metric": (_metric, _published),
        "prune": (_deleted_activities_can_be_forgotten, _places, _written_buckets),
        "rekey": (_tables_can_forget, _places, _written_buckets),
        "erase": (_tables_can_forget, _places, _written_buckets),
    }
)
