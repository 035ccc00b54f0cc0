#!/usr/bin/env bash
# Dagster 1.13.27: a run that waits for a slot of a pool keeps a core busy, with both executors that Dagster brings.
#
# Pools exist so that work takes turns, and one expects a run that waits for its turn to cost nothing. Its executor does
# sleep between its looks, for as long as `interval_to_next_pending_claim_check` says. But that is the least of 0 and of
# what is left of the wait of each step, so it is never more than 0. The slot itself is asked for once in 1 to 15
# seconds; in between the executor goes round without a rest, and on two cores leaves one to the run that works. (Pull
# request 20367 of dagster wanted to change this in 2024, and was closed.)
#
# Seen, while another run had the slot for twelve seconds (12.0 and 11.9 CPU seconds):
#   in_process: the run that waits is busy
#   multiprocess: the run that waits is busy
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet "dagster==1.13.27"
export DAGSTER_HOME="$folder/home"
mkdir home
cat > home/dagster.yaml << 'YAML'
concurrency:
  pools:
    default_limit: 1
    granularity: op
telemetry:
  enabled: false
YAML
cat > waits.py << 'PYTHON'
import sys
import time
from threading import Thread

import dagster as dg

HELD_S = 12


@dg.op(pool="warehouse")
def table() -> None:
    pass


@dg.job(executor_def=dg.in_process_executor)
def in_process():
    table()


@dg.job(executor_def=dg.multiprocess_executor)
def multiprocess():
    table()


def main(name: str) -> None:
    with dg.DagsterInstance.get() as instance:
        slots = instance.event_log_storage
        slots.initialize_concurrency_limit_to_default("warehouse")
        assert slots.claim_concurrency_slot("warehouse", "another run", "its step").is_claimed
        used = []

        def hold() -> None:
            time.sleep(2)  # by now the run waits
            before = time.process_time()
            time.sleep(HELD_S)
            used.append(time.process_time() - before)
            slots.free_concurrency_slot_for_step("another run", "its step")

        holder = Thread(target=hold)
        holder.start()
        job = dg.reconstructable(in_process if name == "in_process" else multiprocess)
        with dg.execute_job(job, instance) as result:
            assert result.success
        holder.join()
    share = used[0] / HELD_S
    # Beside other work it does not get all of the core that it would take.
    print(f"{name}: the run that waits {'is busy' if share > 0.25 else 'rests'}")
    print(f"{name}: {used[0]:.1f} CPU seconds in {HELD_S} seconds", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
PYTHON
for executor in in_process multiprocess; do
    venv/bin/python waits.py "$executor" 2> log | tail -1 || { cat log; exit 1; }
    tail -1 log >&2
done > seen
cat seen
diff seen - << 'SEEN'
in_process: the run that waits is busy
multiprocess: the run that waits is busy
SEEN
