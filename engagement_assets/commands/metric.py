"""`make metric`: the values of one metric from the published copy, by period and dimensions.

Belongs here: the command. Not here: what a metric is (`metrics/catalog.py`), which questions have an answer
(`metrics/question.py`), or how it is printed (`answer_output.py`).
"""

from engagement_assets.commands.answer_output import ROWS_SHOWN, print_answer, status_of
from engagement_assets.commands.arguments import metric_parser
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.commands.published_query import Answer, QueryError, opened, tables
from engagement_assets.installation import PROGRAM
from engagement_assets.metrics.question import needed_tables, question, sql_of


def main() -> int:
    """Answer; 0, or 1 if a sentence on standard error says why there is no answer."""
    given = metric_parser().parse_args()
    settings = load_settings()
    asked = question(given.name, given.by, given.grain, given.first, given.last)

    def answer() -> None:
        with opened(settings.published_warehouse_path) as connection:
            published = tables(connection)
            if missing := needed_tables(asked, published):
                raise QueryError(
                    f"{asked.metric.name} needs {', '.join(missing)}, which nothing has published yet; run "
                    f"{PROGRAM} backfill first"
                )
            found = Answer(connection, sql_of(asked, published))
            if given.format == "table":
                print(f"{asked.metric.title} ({asked.metric.unit}): {asked.metric.formula}\n{asked.metric.told}\n")
            print_answer(found, given, given.limit or ROWS_SHOWN)

    return status_of(answer)


if __name__ == "__main__":
    exit_process(main())
