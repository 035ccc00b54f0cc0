"""One `dbt build`, in the process of the run or as a command, and what it came to, in one shape.

Belongs here: the two ways to run dbt. Not here: what is built, and what Dagster is told of it (see
`transform/build.py`).

In process is the way of production. As a command, dbt starts and parses for each step, which takes some ten seconds;
this works with a dbt that cannot be imported (docs/decisions/0003-dbt-in-process.md).
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import fsspec.config

from engagement_assets.transform.dbt_profile import DbtProfile
from engagement_assets.transform.project import (
    dbt_arguments,
    invoke_dbt,
    parsed_manifest,
    tagged,
)

SELECTED = "selected_by_dagster"
RESULT_EVENTS = ("LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult")
# dbt's own exit code when a node failed; any other one but 0 says that it stopped.
_A_NODE_FAILED = 1
_ENDS_WITHIN_S = 20

OnResult = Callable[[Mapping[str, Any]], None]


class DbtCommandError(RuntimeError):
    """dbt as a command stopped before it had results."""


@dataclass(frozen=True)
class NodeResult:
    """What a model, test or hook came to: `failures` counts the rows that a test found."""

    unique_id: str
    status: str
    message: str
    failures: int
    compiled_code: str

    @property
    def name(self) -> str:
        """The node's name."""
        return self.unique_id.split(".")[2]

    @property
    def is_test(self) -> bool:
        """Whether the node is a data test."""
        return self.unique_id.startswith("test.")


@dataclass(frozen=True)
class Outcome:
    """The results of all nodes, whether dbt calls the build a success, and what stopped it if it has none."""

    results: Sequence[NodeResult]
    success: bool
    exception: BaseException | None = None


def build_in_process(
    arguments: Sequence[str],
    selection: Collection[str],
    profile: DbtProfile,
    lake_uri: str,
    on_result: OnResult,
) -> Outcome:
    """Build nodes, by their ids, in this process; `on_result` gets the event of each as it ends."""
    # dbt takes two seconds to import: only a process that builds models pays for it.
    from dbt_common.events.functions import msg_to_dict  # noqa: PLC0415

    def pass_on(event: Any) -> None:
        if event.info.name in RESULT_EVENTS:  # dbt reports some thousand debugging events a run
            on_result(msg_to_dict(event))

    # dbt compares each selector with each node, and one is enough for a tag.
    options = ["--no-write-json", "--select", f"tag:{SELECTED}"]
    with (
        tempfile.TemporaryDirectory(prefix="dbt-") as target,
        tagged(parsed_manifest(profile.database, profile.engine, profile.table_format), selection, SELECTED),
    ):
        outcome = invoke_dbt([*arguments, *options], profile, lake_uri, Path(target), [pass_on])
    results = [
        NodeResult(
            result.node.unique_id,
            str(result.status),
            result.message or "",
            result.failures or 0,
            getattr(result.node, "compiled_code", None) or "",
        )
        for result in cast(Any, outcome.result) or ()
    ]
    return Outcome(results, outcome.success, outcome.exception)


def build_by_command(
    arguments: Sequence[str],
    selectors: Sequence[str],
    profile: DbtProfile,
    lake_uri: str,
    on_result: OnResult,
) -> Outcome:
    """The same by the program `dbt` beside Python; `selectors` name each node alone."""
    options = ["--write-json", "--select", *selectors]
    # After those of each invocation, which has nothing printed.
    printed = ["--no-quiet", "--log-format", "json", "--log-level", "info"]
    program = str(Path(sys.executable).with_name("dbt"))
    errors: list[str] = []
    with tempfile.TemporaryDirectory(prefix="dbt-") as folder:
        target = Path(folder)
        command = [program, *arguments, *options, *dbt_arguments(target), *printed]
        code = _run(command, profile, lake_uri, on_result, errors)
        said = "\n".join(errors) or "it says nothing about it"
        written = target / "run_results.json"
        if code not in {0, _A_NODE_FAILED} or not written.exists():
            return Outcome([], False, DbtCommandError(f"`dbt build` ended with code {code}: {said}"))
        results = json.loads(written.read_text(encoding="utf-8"))["results"]
    return Outcome(
        [
            NodeResult(
                result["unique_id"],
                result["status"],
                result["message"] or "",
                result["failures"] or 0,
                result["compiled_code"] or "",
            )
            for result in results
        ],
        code == 0,
    )


def _run(command: Sequence[str], profile: DbtProfile, lake_uri: str, on_result: OnResult, errors: list[str]) -> int:
    """The exit code of dbt; `errors` gets what it logs as errors that belong to no node."""
    with (
        profile.environment(lake_uri),
        subprocess.Popen(  # noqa: S603 - no input of others is in it
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # The settings about S3, as fsspec reads them.
            env={**os.environ, "FSSPEC_S3": json.dumps(fsspec.config.conf.get("s3", {}))},
        ) as process,
    ):
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe
            for line in process.stdout:
                event = _event_of(line)
                if event["info"]["name"] in RESULT_EVENTS:
                    on_result(event)
                elif event["info"]["level"] == "error":
                    errors.append(event["info"]["msg"].strip())
        except BaseException:
            # The run is cancelled: dbt goes with it, and so does its lock on the warehouse.
            process.terminate()
            try:
                process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    return process.returncode


def _event_of(line: str) -> Mapping[str, Any]:
    """An event in dbt's log, or what Python or a library printed in between, as an error."""
    try:
        event = json.loads(line)
        if isinstance(event, dict) and {"name", "level", "msg"} <= event["info"].keys():
            return event
    except (ValueError, KeyError, AttributeError):
        pass
    return {"info": {"name": "", "level": "error" if line.strip() else "", "msg": line}, "data": {}}
