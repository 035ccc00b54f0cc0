"""`engagement-assets <command> …`: the commands of make for an installed package, in the words of make or as options.

Belongs here: which commands there are, and reading `FROM=2024-01-01` as make does. Not here: what starts a command
(`start.py`), or its arguments (`arguments.py`).
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

from engagement_assets.commands import start
from engagement_assets.commands.process import exit_process
from engagement_assets.installation import CONSOLE_SCRIPT
from engagement_assets.settings import Settings

# As `make help` describes them.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "demo": "Sample data through the whole graph, with a summary",
        "dev": "The Dagster UI on http://127.0.0.1:3000 (PORT=…)",
        "serve": "One process of a deployment: SERVICE=webserver, code-server, daemon, exporter; READ_ONLY=1, CHECK=1",
        "report": "Write the engagement report from the published tables, and open it",
        "ask": "Query published tables: SQL='select …' [LIMIT=…] [FORMAT=csv|json]; without SQL, list them (TABLE=…)",
        "metrics": "List the metrics: what they mean, and by what they can be asked",
        "metric": "Values of a metric: NAME=completion_rate [BY=country_code] [GRAIN=week] [FROM=…] [TO=…] [FORMAT=…]",
        "check": "What a load would accept of the files in LANDING_URI, and why not; loads nothing",
        "backfill": "One run over FROM=… TO=… (inclusive), SELECT='+group:learning'",
        "release": "Let held days through: SOURCE=runna DAY=… [TO=…] REASON='…', or DATASET=users without days",
        "replay": "Read quarantined records again: SOURCE=runna FROM=… TO=… [DATASET=…] [REASON=<reason code>]",
        "spark": "A Thrift server of Apache Spark on this machine, to try WAREHOUSE=spark with",
        "prune": "Remove what is older than the settings say; DRY_RUN=1 only tells",
        "rekey": "Rewrite the ids of the lake as PSEUDONYM_KEY, PSEUDONYMIZE and LAND_UNNEEDED_IDS say",
        "erase": "Erase persons: SOURCE=runna KIND=user < ids, one id a line",
        "sweep": "Look for erased ids in all files: SOURCE=runna KIND=user < ids",
    }
)
_WORD = re.compile(r"([A-Z][A-Z_]*)=(.*)", re.DOTALL)
_FLAGS = ("CHECK", "DRY_RUN", "READ_ONLY", "SPREADSHEET")


def main() -> NoReturn:
    """Run the command that the first argument names, and end the process."""
    name, *words = sys.argv[1:] or ["--help"]
    if name in {"-h", "--help"}:
        print(_help())
        exit_process(0)
    if name not in COMMANDS:
        print(f"error: there is no command {name!r}; expected one of {', '.join(COMMANDS)}", file=sys.stderr)
        exit_process(2)
    arguments = with_options(words)
    if name == "sweep":
        name, arguments = "erase", [*arguments, "--verify"]
    sys.argv = ["start", name, *arguments]
    exit_process(start.main())


def with_options(words: Sequence[str]) -> list[str]:
    """The words with `FROM=…` as `--from=…`; one that names a setting becomes a variable, as it does with make."""
    settings = {*(field.upper() for field in Settings.model_fields), "PORT"}
    options = []
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            options.append(word)
        elif match[1] in settings:
            os.environ[match[1]] = match[2]
        elif match[2]:  # as in the Makefile, nothing is the same as no word
            option = f"--{match[1].lower().replace('_', '-')}"
            options.append(option if match[1] in _FLAGS else f"{option}={match[2]}")
    return options


def _help() -> str:
    commands = "\n".join(f"  {name:<10}{text}" for name, text in COMMANDS.items())
    return (
        f"usage: {CONSOLE_SCRIPT} <command> [NAME=value …]\n\n{commands}\n\n"
        "Settings are variables, such as LANDING_URI=…, and are read from .env too. Without LANDING_URI, everything "
        "runs on sample data.\nData lies in ./data, unless settings name other places."
    )
