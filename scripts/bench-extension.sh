#!/usr/bin/env bash
# Measures what foreword's extension costs a function while it only waits, under AWS's emulator: resident memory, system calls,
# and what it adds to the init: bench-extension.sh [ROUNDS]. With --check it leaves the last out, and fails over the budget.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

memory_budget=1024 # kB
idle_seconds=5

fail() {
    echo "bench-extension: $*" >&2
    exit 1
}

check=
rounds=300
case $# in
0) ;;
1)
    case $1 in
    --check) check=1 ;;
    *[!0-9]* | '' | 0*) fail "usage: scripts/bench-extension.sh [--check | ROUNDS]" ;;
    *) rounds=$1 ;;
    esac
    ;;
*) fail "usage: scripts/bench-extension.sh [--check | ROUNDS]" ;;
esac

case $(uname -m) in
x86_64) architecture=x86_64 target=x86_64-unknown-linux-musl ;;
aarch64) architecture=arm64 target=aarch64-unknown-linux-musl ;;
*) fail "Lambda has no architecture $(uname -m)" ;;
esac
for command in curl python3 strace unshare; do
    type -P "$command" >/dev/null || fail "install $command, then run this again"
done
emulator=$PWD/target/real-parts/emulator/aws-lambda-rie
[[ -x $emulator ]] || fail "$emulator is missing: run scripts/real-parts.sh"
scripts/build-layer.sh --arch "$architecture" --only foreword

work=$(mktemp -d)
running=
end() {
    [[ -z $running ]] || kill "$running" 2>/dev/null || :
    wait
    rm -rf "$work"
}
trap end EXIT

mkdir -p "$work"/{without,with}/bin "$work/with/extensions"
for layer in without with; do
    cp "${CARGO_TARGET_DIR:-target}/$target/release/foreword" "$work/$layer/bin/foreword"
done
ln -s ../bin/foreword "$work/with/extensions/foreword"

# The smallest runtime that answers an event, so that little else is in the way.
cat >"$work/runtime" <<'RUNTIME'
#!/bin/bash
exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
next='GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: lambda\r\n\r\n'
printf "$next" >&3
while IFS=$': \r' read -r name value <&3 && [[ $name ]]; do
    [[ ${name,,} != lambda-runtime-aws-request-id ]] || id=$value
done
printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: lambda\r\nContent-Length: 2\r\n\r\n{}'"$next" "$id" >&3
exec sleep 1000
RUNTIME
chmod +x "$work/runtime"

config='{"env": {"A": {"default": "a"}}, "hooks": {"pre_stop": [{"name": "flush", "command": ["/bin/true"]}]}}'
# shellcheck disable=SC2016 # for the shell in the namespace
mount='mount --rbind "$1" /opt && shift && exec "$@"'
namespace=(unshare --mount)
((EUID == 0)) || namespace+=(--map-root-user)

# Starts the emulator with one of the two layers, and invokes the function; leaves its process ID in `running`.
start() {
    local port=$((10000 + 2 * (RANDOM % 10000)))
    env -i PATH="$PATH" LAMBDA_TASK_ROOT="$work" FOREWORD_CONFIG="$config" FOREWORD_LOG=error \
        AWS_LAMBDA_FUNCTION_TIMEOUT=10 \
        "${namespace[@]}" /bin/sh -c "$mount" mount "$work/$1" "$emulator" \
        --runtime-interface-emulator-address "127.0.0.1:$port" --runtime-api-address "127.0.0.1:$((port + 1))" \
        /opt/bin/foreword "$work/runtime" app.handler >"$work/log" 2>&1 &
    running=$!
    # It starts to listen on the two in no order, and a runtime can be faster than its Runtime API.
    until (exec 3<>"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null; do
        kill -0 "$running" 2>/dev/null || fail "the emulator has ended: $(cat "$work/log")"
    done
    until curl --silent --noproxy '*' --output "$work/answer" --data '{}' \
        "http://127.0.0.1:$port/2015-03-31/functions/function/invocations"; do
        kill -0 "$running" 2>/dev/null || fail "the emulator has ended: $(cat "$work/log")"
    done
    [[ $(<"$work/answer") == '{}' ]] || fail "the function did not answer: $(cat "$work/answer" "$work/log")"
}

stop() {
    kill "$running"
    wait "$running" || fail "the emulator failed: $(cat "$work/log")"
    running=
}

# The extension of the emulator that runs.
extension() {
    local process
    for process in $(pgrep --parent "$running"); do
        if tr '\0' ' ' <"/proc/$process/cmdline" | grep --quiet '^/opt/extensions/foreword $'; then
            echo "$process"
            return
        fi
    done
    fail "there is no extension: $(cat "$work/log")"
}

start with
process=$(extension)
memory=$(awk '/^VmRSS:/ { print $2 }' "/proc/$process/status")
# What a thread waits for is shown, and what it does besides.
timeout --signal INT "$idle_seconds" strace -qq -f -p "$process" -o "$work/calls" 2>"$work/strace" || :
threads=$(find "/proc/$process/task" -mindepth 1 -maxdepth 1 | wc -l)
(($(grep -c 'unfinished \.\.\.>\|resuming interrupted\|detached \.\.\.>' "$work/calls") == threads)) ||
    fail "strace has not seen all $threads threads: $(cat "$work/strace" "$work/calls")"
calls=$(grep -vc 'unfinished \.\.\.>\|resuming interrupted\|detached \.\.\.>' "$work/calls" || :)
stop
echo "resident memory while it waits: $memory kB"
echo "system calls in $idle_seconds s of waiting: $calls"
((memory <= memory_budget)) || fail "$memory kB resident are more than $memory_budget"
((calls == 0)) || fail "it does not only wait: $(cat "$work/calls")"
[[ -z $check ]] || exit 0

# From the start of extensions and runtime to the first request for an event, as the emulator has it. One after the other,
# so that what disturbs the machine disturbs both.
for ((round = 0; round < rounds; round++)); do
    for layer in without with; do
        start "$layer"
        sed -n 's/.*INIT REPORT(durationMs: \([0-9.]*\)).*/\1/p' "$work/log" | head -n 1 >>"$work/$layer.times"
        stop
    done
done
echo "Medians of the init of $rounds pairs of environments, on $(uname -sr), $architecture:"
python3 - "$work/without.times" "$work/with.times" <<'PYTHON'
import statistics, sys

without, with_it = ([float(line) for line in open(name)] for name in sys.argv[1:])
added = [one - other for one, other in zip(with_it, without, strict=True)]
medians = [statistics.median(values) for values in (without, with_it, added)]
print("without the extension {:.2f} ms, with it {:.2f} ms; it adds {:.2f} ms".format(*medians))
PYTHON
