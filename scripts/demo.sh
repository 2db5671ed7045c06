#!/usr/bin/env bash
# Shows foreword at work: with a dummy interpreter that prints what it received, with a Python function under AWS's
# Runtime Interface Emulator, and with `foreword simulate` through a snapshot and a restore. It needs Linux, a Rust
# toolchain and python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset CARGO_TARGET_DIR

scripts/real-parts.sh emulator python
cargo build --locked --release
foreword=$PWD/target/release/foreword
parts=$PWD/target/real-parts

directory=$(mktemp -d)
emulator=
# The emulator ends the runtime at SIGTERM.
clean_up() {
    if [[ -n $emulator ]]; then
        kill "$emulator" 2>/dev/null || true
        wait "$emulator" || true
    fi
    rm -rf "$directory"
}
trap clean_up EXIT
cd "$directory"
export FOREWORD_DROPIN_DIR=$directory/foreword.d LAMBDA_TASK_ROOT=$directory

printf '\n== A dummy interpreter, started as Lambda starts python3.12\n'
cat >python3.12 <<'END'
#!/bin/sh
for argument in "$0" "$@"; do echo "  argument  $argument"; done
for name in OTEL_SERVICE_NAME OTEL_RESOURCE_ATTRIBUTES DB_PASSWORD; do echo "  $name=$(printenv $name)"; done
END
cat >fetch-secrets <<'END'
#!/bin/sh
echo '{"DB_PASSWORD": "a $ecret, \"quoted\""}'
END
chmod +x python3.12 fetch-secrets
cat >foreword.json <<'END'
{
  "env": {
    "OTEL_SERVICE_NAME": {"default": "${AWS_LAMBDA_FUNCTION_NAME}"},
    "OTEL_RESOURCE_ATTRIBUTES": {"prepend": "deployment.environment.name=prod", "separator": ","}
  },
  "options": {"append": ["-X", "importtime"]},
  "hooks": {"initialize": [{"name": "secrets", "command": ["./fetch-secrets"], "export": "json"}]}
}
END
cat foreword.json
echo "\$ foreword ./python3.12 /var/runtime/bootstrap.py"
OTEL_RESOURCE_ATTRIBUTES=team=a AWS_LAMBDA_FUNCTION_NAME=orders "$foreword" ./python3.12 /var/runtime/bootstrap.py
rm foreword.json

printf "\n== A Python function under AWS's emulator\n"
cat >app.py <<'END'
import os, sys

def handler(event, context):
    return {
        "event": event,
        "interpreter's options": list(sys._xoptions),
        "GREETING, from the hook": os.environ["GREETING"],
    }
END
export FOREWORD_CONFIG='{
  "options": {"append": ["-X", "utf8"]},
  "hooks": {"initialize": [{"name": "greeting", "command": "echo GREETING=hello", "export": "dotenv"}]}
}'
echo "FOREWORD_CONFIG='$FOREWORD_CONFIG'"
echo "\$ aws-lambda-rie foreword -- python3 -m awslambdaric app.handler"
ports=$(python3 - <<'END'
import socket

sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*[s.getsockname()[1] for s in sockets])
END
)
read -r port api_port <<<"$ports"
PATH=$parts/python/bin:$PATH "$parts/emulator/aws-lambda-rie" \
    --runtime-interface-emulator-address "127.0.0.1:$port" --runtime-api-address "127.0.0.1:$api_port" \
    "$foreword" -- python3 -m awslambdaric app.handler >log 2>&1 &
emulator=$!

if ! python3 - "$port" <<'END'; then
import json, sys, time, urllib.error, urllib.request

url = f"http://127.0.0.1:{sys.argv[1]}/2015-03-31/functions/function/invocations"
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
deadline = time.monotonic() + 10
while True:
    try:
        response = direct.open(url, json.dumps({"order": 17}).encode(), timeout=30)
        break
    except urllib.error.HTTPError as error:
        sys.exit(f"the invocation failed: {error.read().decode()}")
    except urllib.error.URLError as error:
        # The connection is refused until the emulator listens.
        if time.monotonic() > deadline:
            sys.exit(f"unable to connect to the emulator: {error.reason}")
        time.sleep(0.05)
print("the response:", json.dumps(json.load(response), indent=2))
END
    cat log >&2
    exit 1
fi
echo "foreword's line in the log:"
grep '^foreword: ' log

printf '\n== A Python function through a snapshot and a restore\n'
cat >app.py <<'END'
from snapshot_restore_py import register_after_restore, register_before_snapshot

register_before_snapshot(print, "the handler's own hook, before the snapshot")
register_after_restore(print, "the handler's own hook, after the restore")

def handler(event, context):
    return event
END
export FOREWORD_CONFIG='{
  "hooks": {
    "before_snapshot": [{"name": "drain", "command": "sleep 0.2"}],
    "after_restore": [{"name": "reseed", "command": "sleep 0.5"}]
  }
}'
echo "FOREWORD_CONFIG='$FOREWORD_CONFIG'"
echo "\$ foreword simulate --snap-start --event '{\"order\": 17}' -- python3 -m awslambdaric app.handler"
PATH=$parts/python/bin:$PATH "$foreword" simulate --snap-start --event '{"order": 17}' -- python3 -m awslambdaric app.handler
