# Needs Python ≥ 3.11 and make; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
# Refuses what cannot work within a second. Values reach it as the environment has them, whatever quotes they hold.
START := @$(BIN)/python -m engagement_assets.commands.start
SOAK_DAYS ?= 60
SERVICE_DAYS ?= 10
FUZZ_MINUTES ?= 60
SBOM ?= dist/sbom.cdx.json
# Two more than there are cores: many tests wait for processes that they have started.
WORKERS ?= $(shell $(BIN)/python -c 'import os; print(os.cpu_count() + 2)')
INSTALL = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed, found: $$($(PYTHON) --version)"; exit 1; }; \
	$(PYTHON) engagement_assets/commands/install.py
# Packages are compiled when they are first imported, which takes a third of the time of compiling all of them. So
# Python must be allowed to keep what it has compiled.
export PYTHONDONTWRITEBYTECODE =
LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-strip-extras --quiet pyproject.toml
EXTRAS = --extra model --extra postgres --extra s3 --extra sandbox --extra spark

.PHONY: help install install-dev install-spark demo dev serve report ask metrics metric check backfill release replay spark spark-parity prune rekey erase sweep test coverage mutants sql-faults soak rollback fuzz lint lint-python lint-sql format bench against image-size dictionary lock audit sbom licences clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/installed ## Set up .venv with the locked versions of what runs

.venv/installed: requirements.lock pyproject.toml
	@$(INSTALL) requirements.lock
	@touch $@

install-dev: .venv/installed-dev ## The same with the tools for tests and lint, which the commands that need them add

.venv/installed-dev: requirements-dev.lock pyproject.toml
	@$(INSTALL) requirements-dev.lock
	@touch .venv/installed $@

install-spark: .venv/installed-spark ## The same with Spark's own server, for those who have none: 400 MB, which Java 17 runs

.venv/installed-spark: requirements-spark.lock pyproject.toml
	@$(INSTALL) requirements-spark.lock
	@touch .venv/installed .venv/installed-dev $@

demo: install ## Sample data through the whole graph, with a summary
	$(START) demo

dev: install ## The Dagster UI on http://127.0.0.1:3000 (PORT=…)
	$(START) dev

serve: install ## One process of a deployment: SERVICE=webserver, code-server, daemon, exporter; READ_ONLY=1, CHECK=1
	$(START) serve $(if $(SERVICE),--service="$$SERVICE") $(if $(LISTEN),--listen="$$LISTEN") \
		$(if $(WORKSPACE),--workspace="$$WORKSPACE") $(if $(READ_ONLY),--read-only) $(if $(CHECK),--check)

report: install ## Write the engagement report from the published tables, and open it
	$(START) report

ask: install ## Query published tables: SQL='select …' [LIMIT=…] [FORMAT=csv|json]; without SQL, list them (TABLE=…)
	$(START) ask $(if $(SQL),--sql="$$SQL") $(if $(TABLE),--table="$$TABLE") $(if $(FORMAT),--format="$$FORMAT") \
		$(if $(LIMIT),--limit="$$LIMIT") $(if $(SPREADSHEET),--spreadsheet)

metrics: install ## List the metrics: what they mean, and by what they can be asked
	$(START) metrics $(if $(FORMAT),--format="$$FORMAT") $(if $(SPREADSHEET),--spreadsheet)

metric: install ## Values of a metric: NAME=completion_rate [BY=country_code] [GRAIN=week] [FROM=…] [TO=…] [FORMAT=…]
	$(START) metric $(if $(NAME),--name="$$NAME") $(if $(BY),--by="$$BY") $(if $(GRAIN),--grain="$$GRAIN") \
		$(if $(FROM),--from="$$FROM") $(if $(TO),--to="$$TO") $(if $(FORMAT),--format="$$FORMAT") \
		$(if $(LIMIT),--limit="$$LIMIT") $(if $(SPREADSHEET),--spreadsheet)

check: install ## What a load would accept of the files in LANDING_URI, and why not; loads nothing
	$(START) check

backfill: install ## One run over FROM=… TO=… (inclusive), SELECT='+group:learning'
	$(START) backfill $(if $(FROM),--from="$$FROM") $(if $(TO),--to="$$TO") $(if $(SELECT),--select="$$SELECT")

release: install ## Let held days through: SOURCE=runna DAY=… [TO=…] REASON='…', or DATASET=users without days
	$(START) release $(if $(SOURCE),--source="$$SOURCE") $(if $(REASON),--reason="$$REASON") \
		$(if $(DAY),--day="$$DAY") $(if $(TO),--to="$$TO") $(if $(DATASET),--dataset="$$DATASET")

replay: install ## Read quarantined records again: SOURCE=runna FROM=… TO=… [DATASET=…] [REASON=<reason code>]
	$(START) replay $(if $(SOURCE),--source="$$SOURCE") $(if $(FROM),--from="$$FROM") $(if $(TO),--to="$$TO") \
		$(if $(DATASET),--dataset="$$DATASET") $(if $(REASON),--reason="$$REASON")

spark: .venv/installed-spark ## A Thrift server of Apache Spark on this machine, to try WAREHOUSE=spark with
	$(START) spark

prune: install ## Remove what is older than the settings say; DRY_RUN=1 only tells
	$(START) prune $(if $(DRY_RUN),--dry-run)

rekey: install ## Rewrite the ids of the lake as PSEUDONYM_KEY, PSEUDONYMIZE and LAND_UNNEEDED_IDS say
	$(START) rekey

erase: install ## Erase persons: SOURCE=runna KIND=user < ids, one id a line
	$(START) erase $(if $(SOURCE),--source="$$SOURCE") $(if $(KIND),--kind="$$KIND")

sweep: install ## Look for erased ids in all files: SOURCE=runna KIND=user < ids
	$(START) erase $(if $(SOURCE),--source="$$SOURCE") $(if $(KIND),--kind="$$KIND") --verify

test: install-dev ## All tests, in WORKERS=… processes
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

coverage: install-dev ## Unit tests, with the lines and branches that they run (floor: fail_under in pyproject.toml)
	$(BIN)/python -m pytest tests/unit --numprocesses auto --dist loadfile --no-loadscope-reorder --cov

mutants: install-dev ## One fault at a time in lake/ and checks/, and which of them no test finds; MUTANTS='engagement_assets.lake.commit.*'
	$(BIN)/mutmut run $(if $(MUTANTS),'$(MUTANTS)')
	$(BIN)/mutmut results

sql-faults: install-dev ## Ten faults put into dbt's models, one at a time: the tests must find each
	$(BIN)/python -m pytest tests/mutants/sql_faults.py

soak: install-dev ## SOAK_DAYS=60 days of the whole graph under chaos, and what became of it
	SOAK_DAYS=$(SOAK_DAYS) SERVICE_DAYS=$(SERVICE_DAYS) $(BIN)/python -m pytest tests/soak
	API_DAYS=30 DAYS_PER_BUILD=15 $(BIN)/python -m pytest tests/integration/test_api_sources.py -k daily_runs
	ERASURE_EXAMPLES=20 $(BIN)/python -m pytest tests/integration/test_eras*.py tests/unit/privacy/test_erasure.py

# Version 0.2.0, unless another one is named.
rollback: install-dev ## From version 0.2.0, or BASE=<commit>, to this one and back again; what its lock names is installed
	BASE=$(or $(BASE),6bb20c2) $(BIN)/python -m pytest tests/rollback

spark-parity: .venv/installed-spark ## The same tables on Apache Spark as on DuckDB, row by row, and dbt's unit tests there
	$(BIN)/python -m pytest tests/spark

fuzz: install-dev ## FUZZ_MINUTES=60 of broken records, 500 drawn landing zones, 10 drawn sequences of builds an area
	COUNTS_EXAMPLES=500 $(BIN)/python -m pytest tests/unit/extract/test_counts_property.py
	TRAINING_SEQUENCES=10 LEARNING_SEQUENCES=10 STRAVA_EXAMPLES=10 PRODUCT_SEQUENCES=10 MOBILITY_SEQUENCES=10 \
		ENGAGEMENT_SEQUENCES=10 $(BIN)/python -m pytest tests/integration -k 'any_sequence or any_order_of_arrivals'
	FUZZ_MINUTES=$(FUZZ_MINUTES) $(BIN)/python -m pytest -s tests/fuzz

lint: install-dev ## ruff, mypy, sqlfluff
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint-python lint-sql

lint-python:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

lint-sql:
	@mkdir -p dbt_project/target
	PATH="$(CURDIR)/$(BIN):$$PATH" WAREHOUSE_PATH=dbt_project/target/lint.duckdb $(BIN)/sqlfluff lint dbt_project

format: install-dev ## Format Python and SQL
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install-dev ## Every benchmark but against and image-size, with its ratio to a floor measured in the same run
	@for name in $(filter-out against image,$(notdir $(basename $(wildcard benchmarks/*.py)))); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

against: install-dev ## BASE=<commit>: the same work by another commit and by this checkout, in turn; WORKS='day lint'
	$(BIN)/python -m benchmarks.against $(BASE) $(if $(WORKS),--works $(WORKS))

image-size: install-dev ## The files of the image laid out without an engine: size, limit, time to load; PYTHON=python3.13
	PYTHON="$(PYTHON)" $(BIN)/python -m benchmarks.image

dictionary: install ## Write docs/data_dictionary.md, docs/metrics.md, docs/input_formats.md and the table in docs/privacy.md anew
	@$(BIN)/python -m engagement_assets.commands.data_dictionary
	@$(BIN)/python -m engagement_assets.commands.metrics_page
	@$(BIN)/python -m engagement_assets.commands.input_formats
	@$(BIN)/python -m engagement_assets.commands.kept_data

lock: install ## Resolve the lock files anew
	$(LOCK) $(EXTRAS) --group dev --group spark-server -o requirements-spark.lock
	$(LOCK) $(EXTRAS) --constraints requirements-spark.lock --group dev -o requirements-dev.lock
	$(LOCK) $(EXTRAS) --constraints requirements-spark.lock -o requirements.lock

# The lock with the most packages: the others have no package or version that it has not, as a test asserts.
audit: install-dev ## Locked packages with known vulnerabilities, by OSV; OSV_URL=… asks another server, AUDIT_ARGS='--ignore-vuln …'
	$(BIN)/pip-audit --requirement requirements-spark.lock --require-hashes --disable-pip --progress-spinner off \
		--vulnerability-service osv $(if $(OSV_URL),--osv-url "$$OSV_URL") $(AUDIT_ARGS)

sbom: install-dev ## What runs, with versions and hashes, as CycloneDX in SBOM=dist/sbom.cdx.json
	@mkdir -p $(dir $(SBOM))
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
		--output-reproducible --output-file $(SBOM)

licences: install-dev ## The licence of each installed package; fails on one that pyproject.toml does not allow
	$(BIN)/pip-licenses

clean: ## Remove the demo's data and build products, keep .venv
	rm -rf data/demo dbt_project/target mutants
