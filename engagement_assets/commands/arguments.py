"""The arguments of the commands, and what is wrong with them, in the words of make: `FROM=2024-3-4`, not `--from`.

Belongs here: one parser per command, and what can be told of arguments alone. Not here: whether a command can run with
them (`preflight.py`), or what it does. Nothing here imports Dagster or dbt, which take many seconds.
"""

import argparse
import os
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import NoReturn

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.installation import PROGRAM
from engagement_assets.per_source import SOURCES
from engagement_assets.privacy.tombstones import ERASABLE_KINDS
from engagement_assets.shown_text import shown
from engagement_assets.sources import RAW_DATASETS

_OPTION = re.compile(r"--([a-z-]+)")
CODE_SERVER, DAEMON, EXPORTER, WEBSERVER = "code-server", "daemon", "exporter", "webserver"
_PORTS = {CODE_SERVER: "4000", EXPORTER: "9464"}


class MakeParser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, and name options as make does; `usage` is an example."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"error: {shown(in_words_of_make(message))}; usage: {self.usage}\n")


def in_words_of_make(message: str) -> str:
    """`argument --from: …` as `FROM: …`."""
    message = message.removeprefix("argument ").replace("the following arguments are required:", "missing:")
    return _OPTION.sub(lambda option: option[1].upper().replace("-", "_"), message)


def backfill_parser() -> MakeParser:
    """For `make backfill`."""
    parser = MakeParser(usage=f"{PROGRAM} backfill FROM=2024-01-01 TO=2024-01-31 [SELECT='+group:learning']")
    _add_days(parser, "--from", required=True)
    parser.add_argument("--select", default="*", help="assets, in Dagster's selection syntax")
    parser.add_argument("--allow-shrink", action="store_true", help="let days whose landing files are gone shrink")
    return parser


def release_parser() -> MakeParser:
    """For `make release`."""
    parser = MakeParser(usage=f"{PROGRAM} release SOURCE=runna DAY=2024-01-31 [TO=2024-02-02] [DATASET=…] REASON='…'")
    _add_source(parser)
    _add_days(parser, "--day")
    parser.add_argument("--reason", required=True, type=_sentence, help="why they are let through; it is kept")
    return parser


def replay_parser() -> MakeParser:
    """For `make replay`."""
    parser = MakeParser(
        usage=f"{PROGRAM} replay SOURCE=runna FROM=2024-01-01 TO=2024-01-31 [DATASET=…] [REASON=not_json]"
    )
    _add_source(parser)
    _add_days(parser, "--from")
    parser.add_argument("--reason", default="", help="a reason code of audit.rejected_records; default: all")
    return parser


def erase_parser() -> MakeParser:
    """For `make erase` and `make sweep`."""
    parser = MakeParser(usage=f"{PROGRAM} erase SOURCE=lingokids KIND=user < ids")
    parser.add_argument("--source", required=True, choices=sorted(SOURCES), help="the source that sends the ids")
    parser.add_argument("--kind", required=True, choices=[str(kind) for kind in ERASABLE_KINDS], help="what they are")
    parser.add_argument("--verify", action="store_true", help="only look for the ids, and change nothing")
    return parser


def prune_parser() -> MakeParser:
    """For `make prune`."""
    parser = MakeParser(usage=f"{PROGRAM} prune [DRY_RUN=1]")
    parser.add_argument("--dry-run", action="store_true", help="report what would be removed, and remove nothing")
    return parser


def report_parser() -> MakeParser:
    """For `make report`."""
    parser = MakeParser(usage=f"{PROGRAM} report")
    parser.add_argument("--no-open", action="store_true", help="write it without opening a browser")
    return parser


def ask_parser() -> MakeParser:
    """For `make ask`; an installed command also takes the query as it is."""
    parser = MakeParser(
        usage=f"{PROGRAM} ask [SQL='select …' [LIMIT=100] | TABLE=…] [FORMAT=csv [SPREADSHEET=1] | FORMAT=json]"
    )
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("sql", nargs="?", default=argparse.SUPPRESS, help="a query on the published tables")
    asked.add_argument("--sql", default="", help="the same")
    asked.add_argument("--table", default="", help="the table whose columns are listed")
    _add_format(parser)
    _add_limit(parser)
    return parser


def metrics_parser() -> MakeParser:
    """For `make metrics`."""
    parser = MakeParser(usage=f"{PROGRAM} metrics [FORMAT=csv [SPREADSHEET=1] | FORMAT=json]")
    _add_format(parser)
    return parser


def metric_parser() -> MakeParser:
    """For `make metric`."""
    parser = MakeParser(
        usage=f"{PROGRAM} metric NAME=completion_rate [BY=country_code,os_name] [GRAIN=day|week|month] "
        "[FROM=2024-01-01] [TO=2024-01-31] [LIMIT=100 | FORMAT=csv [SPREADSHEET=1] | FORMAT=json]"
    )
    parser.add_argument("--name", required=True, help=f"the metric; {PROGRAM} metrics lists them")
    parser.add_argument("--by", type=_names, default=(), help="dimensions, separated by commas")
    parser.add_argument("--grain", default="", help="the periods; default: week")
    _add_days(parser, "--from")
    _add_format(parser)
    _add_limit(parser)
    return parser


def serve_parser() -> MakeParser:
    """For `make serve`."""
    parser = MakeParser(
        usage=f"{PROGRAM} serve SERVICE=webserver [LISTEN=127.0.0.1] [PORT=…] [WORKSPACE=…] [READ_ONLY=1] [CHECK=1]"
    )
    parser.add_argument(
        "--service", required=True, choices=(CODE_SERVER, DAEMON, WEBSERVER, EXPORTER), help="which process"
    )
    parser.add_argument("--listen", default="127.0.0.1", help="the address on which it listens")
    parser.add_argument("--workspace", help="the file that names the code server; default: each loads the code itself")
    parser.add_argument("--read-only", action="store_true", help="the webserver only shows, and starts no run")
    parser.add_argument("--check", action="store_true", help="only ask whether the service answers")
    return parser


def port_of(given: argparse.Namespace) -> str:
    """The variable PORT, or the default of the service; `make dev` is a webserver."""
    return os.environ.get("PORT") or _PORTS.get(getattr(given, "service", WEBSERVER), "3000")


def no_arguments(command: str) -> Callable[[], MakeParser]:
    """For a command that takes none."""
    return lambda: MakeParser(usage=f"{PROGRAM} {command}")


PARSERS: Mapping[str, Callable[[], MakeParser]] = MappingProxyType(
    {
        "backfill": backfill_parser,
        "release": release_parser,
        "replay": replay_parser,
        "erase": erase_parser,
        "prune": prune_parser,
        "report": report_parser,
        "ask": ask_parser,
        "metrics": metrics_parser,
        "metric": metric_parser,
        "serve": serve_parser,
        **{name: no_arguments(name) for name in ("check", "demo", "dev", "rekey", "spark")},
    }
)


def inclusive(first: date, last: date) -> DayWindow:
    """The days from the first to the last.

    Raises:
        ValueError: the last day lies before the first.
    """
    if last < first:
        raise ValueError(f"the first day must not lie after the last, found {first} and {last}")
    return DayWindow(first, last + timedelta(days=1))


def chosen_datasets(source: str, dataset: str | None, *, has_days: bool) -> list[Dataset]:
    """The datasets of a source, or the named one, with days or without.

    Raises:
        ValueError: the source has no such dataset, or days are given for a dataset without days, or the reverse.
    """
    known = {item.name: item for item in RAW_DATASETS if item.source == source}
    if dataset is not None and dataset not in known:
        raise ValueError(f"{source} has no dataset {dataset!r}, expected one of {', '.join(known)}")
    chosen = [item for item in known.values() if item.partitioned == has_days and dataset in (None, item.name)]
    if not chosen:
        needed = "has no days: leave them out" if has_days else "has days: name one, such as 2024-01-31"
        raise ValueError(f"{source if dataset is None else f'{source}/{dataset}'} {needed}")
    return chosen


def _add_days(parser: argparse.ArgumentParser, first: str, *, required: bool = False) -> None:
    parser.add_argument(first, dest="first", type=_day, required=required, help="first day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=_day, required=required, help="last day, inclusive")


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="csv and json are complete")
    parser.add_argument("--spreadsheet", action="store_true", help="CSV in which no text is a formula")


def _add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_at_least_one, help="how many rows a table shows; default: 100")


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", required=True, choices=sorted(SOURCES), help="the source")
    parser.add_argument("--dataset", help="only this dataset of the source; a dataset without days needs no range")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; expected YYYY-MM-DD, such as 2024-03-04") from error


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected names with a comma between two of them, found {text!r}")
    return names


def _at_least_one(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, found {text!r}")
    return int(text)


def _sentence(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a sentence, since it is kept in audit.ingestion_loads")
    return text.strip()
