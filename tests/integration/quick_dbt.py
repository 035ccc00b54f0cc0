"""dbt in this process, without what it does for nobody here; what it builds is the same.

Belongs here: what every invocation of dbt repeats or tells, and no test reads. Not here: calling dbt (see
`warehouse_builder.py` and `engagement_assets/transform/`).

Each is named with its share of a small area's build, without the others.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.compilation import Compiler
from dbt.contracts.graph.manifest import Manifest
from dbt.graph.graph import Graph
from dbt_common import behavior_flags
from dbt_common.clients import agate_helper
from dbt_common.events.base_types import BaseEvent, DebugLevel


@contextmanager
def quick_dbt() -> Iterator[None]:
    """Leave it out until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        _fill_in_messages_when_they_are_read(patch)
        _compile_patterns_once(patch)
        _link_the_graph_once(patch)
        _do_not_ask_who_calls(patch)
        _write_no_comments(patch)
        yield


class CommentingRunner(dbtRunner):
    """Puts the descriptions of tables and columns on them all the same, for the test that reads them."""


def _fill_in_messages_when_they_are_read(patch: pytest.MonkeyPatch) -> None:
    """Those of events for debugging, which production leaves out when they have been made: a tenth."""
    fill_in = BaseEvent.__init__

    def keep(event: DebugLevel, *arguments: Any, **named: Any) -> None:
        vars(event)["_given"] = arguments, named

    def message_of(event: DebugLevel) -> Any:
        arguments, named = vars(event)["_given"]
        fill_in(event, *arguments, **named)
        return vars(event)["pb_msg"]

    message = cached_property(message_of)
    message.__set_name__(DebugLevel, "pb_msg")
    patch.setattr(DebugLevel, "__init__", keep)
    patch.setattr(DebugLevel, "pb_msg", message, raising=False)


def _compile_patterns_once(patch: pytest.MonkeyPatch) -> None:
    """The same patterns of dates for each query: a twentieth."""
    build_type_tester = agate_helper.build_type_tester

    @cache
    def type_tester_of(text_columns: tuple[str, ...], string_null_values: tuple[str, ...]) -> Any:
        return build_type_tester(text_columns, string_null_values)

    def build_once(text_columns: Iterable[str], string_null_values: Iterable[str] = ("null", "")) -> Any:
        return type_tester_of(tuple(text_columns), tuple(string_null_values))

    patch.setattr(agate_helper, "build_type_tester", build_once)


def _link_the_graph_once(patch: pytest.MonkeyPatch) -> None:
    """The graph follows from the manifest alone, and dbt only reads it: a twentieth, more in a build of few models."""
    compile_graph = Compiler.compile
    # The manifest is kept with its graph, so that no other one gets its id.
    linked: dict[tuple[int, bool], tuple[Manifest, Graph]] = {}

    # `named` is what dbt 1.12 adds.
    def compile_once(
        compiler: Compiler, manifest: Manifest, write: bool = True, add_test_edges: bool = False, **named: Any
    ) -> Graph:
        compiler.initialize()
        key = (id(manifest), add_test_edges)
        if key not in linked:
            linked[key] = manifest, compile_graph(compiler, manifest, write, add_test_edges, **named)
        return linked[key][1]

    patch.setattr(Compiler, "compile", compile_once)


def _do_not_ask_who_calls(patch: pytest.MonkeyPatch) -> None:
    """Where a flag of an adapter was defined, for a warning: dbt walks the whole stack, and pytest's is deep."""
    patch.setattr(behavior_flags.BehaviorFlagRendered, "_default_source", staticmethod(lambda: "not asked"))


def _write_no_comments(patch: pytest.MonkeyPatch) -> None:
    """What tables and columns mean, asked for and written column by column: a fifth."""
    invoke = dbtRunner.invoke

    def invoke_without(runner: dbtRunner, args: list[str], **settings: Any) -> dbtRunnerResult:
        with pytest.MonkeyPatch.context() as configs:
            if runner.manifest and not isinstance(runner, CommentingRunner):
                for node in runner.manifest.nodes.values():
                    if getattr(node.config, "persist_docs", None):
                        configs.setattr(node.config, "persist_docs", {})
            return invoke(runner, args, **settings)

    patch.setattr(dbtRunner, "invoke", invoke_without)
