#!/usr/bin/env bash
# Dagster 1.13.27: a code server that a script has started in the background cannot be ended by SIGTERM.
#
# A shell that is not interactive starts commands with `&` with SIGINT ignored, so that Ctrl-C is for the script alone;
# SIGTERM keeps its meaning. `dagster api grpc` and `dagster code-server start` give SIGTERM the handler that SIGINT has
# (`setup_interrupt_handlers`, "for k8s"), and so ignore SIGTERM too. A stop script waits in vain until it sends SIGKILL,
# which leaves the server's own child processes behind. `dagster-webserver`, started the same way, ends.
#
# Seen:
#   dagster-webserver of a script: ended by SIGTERM
#   dagster api grpc, SIGINT as usual: ended by SIGTERM
#   dagster api grpc of a script: still there 20 s after SIGTERM
#   dagster code-server start of a script: still there 20 s after SIGTERM
set -euo pipefail
folder=$(mktemp -d)
trap 'pkill -KILL -f "$folder" || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet "dagster==1.13.27" "dagster-webserver==1.13.27"
echo "import dagster as dg; defs = dg.Definitions()" > definitions.py
export DAGSTER_HOME="$folder"
touch dagster.yaml

end_of() { # pid, port, what
    until python3 -c "import socket; socket.create_connection(('127.0.0.1', $2))" 2>/dev/null; do
        kill -0 "$1"
        sleep 0.5
    done
    sleep 5
    kill -TERM "$1"
    for _ in $(seq 40); do
        kill -0 "$1" 2>/dev/null || { echo "$3: ended by SIGTERM"; return; }
        sleep 0.5
    done
    echo "$3: still there 20 s after SIGTERM"
    kill -KILL "$1"
}
port() { python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"; }
code=(-f "$folder/definitions.py" -h 127.0.0.1 -p)

port=$(port)
venv/bin/dagster-webserver "${code[@]}" "$port" > log 2>&1 &
end_of $! "$port" "dagster-webserver of a script" | tee seen
port=$(port)
python3 -c "
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
" venv/bin/dagster api grpc "${code[@]}" "$port" > log 2>&1 &
end_of $! "$port" "dagster api grpc, SIGINT as usual" | tee -a seen
port=$(port)
venv/bin/dagster api grpc "${code[@]}" "$port" > log 2>&1 &
end_of $! "$port" "dagster api grpc of a script" | tee -a seen
port=$(port)
venv/bin/dagster code-server start "${code[@]}" "$port" > log 2>&1 &
end_of $! "$port" "dagster code-server start of a script" | tee -a seen
diff seen - << 'SEEN'
dagster-webserver of a script: ended by SIGTERM
dagster api grpc, SIGINT as usual: ended by SIGTERM
dagster api grpc of a script: still there 20 s after SIGTERM
dagster code-server start of a script: still there 20 s after SIGTERM
SEEN
