#!/usr/bin/env bash
# Measures what foreword adds to the start of a runtime, beside a C program that only calls execve, sh and bash: bench.sh [ROUNDS].
# With --check it only counts what repeats exactly, and fails when that is over the budget. bench-relay.sh does both for the relay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What is needed today and a little more: whoever raises one says why in the change. Of the configurations see below;
# calls are those before execve.
# One of the calls maps memory for the thread-local variables of tracing.
calls_without_configuration=5
instructions_without_configuration=22500
calls_with_configuration=10
instructions_with_configuration=175000
# Ten times the edits cost less than ten times the time. They take more instructions than that, because a variable is
# looked for from the front of an environment that they made longer.
times_the_instructions_of_ten_times_the_edits=17
# From the start to the runtime, with a wrapper that only calls execve; its own calls and instructions are among them.
calls_with_one_wrapper=22
instructions_with_one_wrapper=168000
instructions_with_configuration_and_wrapper=376000

fail() {
    echo "bench: $*" >&2
    exit 1
}

check=
rounds=1000
case $# in
0) ;;
1)
    case $1 in
    --check) check=1 ;;
    *[!0-9]* | '' | 0*) fail "usage: scripts/bench.sh [--check | ROUNDS]" ;;
    *) rounds=$1 ;;
    esac
    ;;
*) fail "usage: scripts/bench.sh [--check | ROUNDS]" ;;
esac

# Takes COMMAND=PACKAGE pairs and installs the packages whose command is missing.
need() {
    local pair missing=()
    for pair in "$@"; do
        type -P "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    ((${#missing[@]})) || return 0
    if [[ $EUID -ne 0 ]] || ! type -P apt-get >/dev/null; then
        fail "install the packages ${missing[*]}, then run this again"
    fi
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >&2
}

case $(uname -m) in
x86_64) architecture=x86_64 target=x86_64-unknown-linux-musl ;;
aarch64) architecture=arm64 target=aarch64-unknown-linux-musl ;;
*) fail "Lambda has no architecture $(uname -m)" ;;
esac
need musl-gcc=musl-tools strace=strace
scripts/build-layer.sh --arch "$architecture" --only foreword

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The page cache keeps a file in pieces as large as it was written in, and small ones take longer to map.
binary=${CARGO_TARGET_DIR:-target}/$target/release/foreword
dd if="$binary" of="$work/foreword" bs=4M status=none
dd if="$binary" of="$work/foreword-small" bs=4k status=none
chmod +x "$work/foreword" "$work/foreword-small"
compile=(musl-gcc -O2 -static -s -Wall -Wextra)
"${compile[@]}" -o "$work/bench" scripts/bench.c
"${compile[@]}" -x c -o "$work/python3.12" - <<'C'
int main(void) { return 0; }
C
cp "$work/python3.12" "$work/hook"
"${compile[@]}" -x c -o "$work/floor" - <<'C'
#include <unistd.h>
int main(int count, char **words, char **environment)
{
    return count < 2 || execve(words[1], words + 1, environment);
}
C
# Runs the first word as a command of its own before it executes the rest.
"${compile[@]}" -x c -o "$work/floor-hook" - <<'C'
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int count, char **words, char **environment)
{
    pid_t pid;
    char *hook[] = {count > 2 ? words[1] : 0, 0};
    if (!hook[0] || posix_spawn(&pid, hook[0], 0, 0, hook, environment) || waitpid(pid, 0, 0) < 0)
        return 1;
    return execve(words[2], words + 2, environment);
}
C

# What Lambda hands to a Python function.
environment=(
    PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin
    LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib
    LANG=en_US.UTF-8
    TZ=:UTC
    LAMBDA_TASK_ROOT=/var/task
    LAMBDA_RUNTIME_DIR=/var/runtime
    AWS_REGION=eu-central-1
    AWS_DEFAULT_REGION=eu-central-1
    AWS_EXECUTION_ENV=AWS_Lambda_python3.12
    AWS_LAMBDA_FUNCTION_NAME=orders
    AWS_LAMBDA_FUNCTION_VERSION=1
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512
    AWS_LAMBDA_INITIALIZATION_TYPE=on-demand
    AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/orders
    "AWS_LAMBDA_LOG_STREAM_NAME=2025/01/01/[1]0123456789abcdef0123456789abcdef"
    AWS_LAMBDA_EXEC_WRAPPER=/opt/bin/foreword
    AWS_XRAY_CONTEXT_MISSING=LOG_ERROR
    AWS_XRAY_DAEMON_ADDRESS=169.254.79.129:2000
    _AWS_XRAY_DAEMON_ADDRESS=169.254.79.129
    _AWS_XRAY_DAEMON_PORT=2000
    _HANDLER=app.handler
    PROFILE=1
    OTEL_RESOURCE_ATTRIBUTES=team=orders
    FOREWORD_DROPIN_DIR=/nonexistent
)
runtime=("$work/python3.12" /var/runtime/bootstrap.py)

echo '{}' >"$work/empty.json"
# As the layer has it beside foreword.
mkdir "$work/stand-in"
ln -s ../foreword "$work/stand-in/python3.12"
printf '{"wrappers": ["%s"]}\n' "$work/floor" >"$work/wrapper.json"
printf '{"wrappers": ["%s", "%s"]}\n' "$work/floor" "$work/floor" >"$work/wrappers.json"
printf '{"hooks": {"initialize": [{"name": "trivial", "command": ["%s"]}]}}\n' "$work/hook" >"$work/hook.json"

# edits.json: about 2 KB with twelve edits of the environment, four of the options, and two rules. tenfold.json: all of
# these ten times, each time of other variables.
python3 - "$work" <<'PYTHON'
import sys

TEMPLATE = """{
  "$schema": "https://example.com/foreword.schema.json",
  "description": "What the layers of a Python function set up: the observability agent with its own handler, a vendor's shared libraries, and the proxy that leads out of the private network. Every value that the function itself has set stays in force, because all of these are only defaults.",
  "env": {
%s
  },
  "options": {
    "prepend": [%s],
    "append": [%s]
  },
  "rules": [
%s
  ]
}
"""
ENVIRONMENT = """\
    "PYTHONPATH@": {"prepend": "/opt/python", "separator": ":"},
    "LD_LIBRARY_PATH@": {"append": "/opt/lib/vendor", "separator": ":"},
    "OTEL_SERVICE_NAME@": {"default": "${AWS_LAMBDA_FUNCTION_NAME}"},
    "OTEL_PROPAGATORS@": {"default": "tracecontext,baggage,xray"},
    "OTEL_RESOURCE_ATTRIBUTES@": {"prepend": "service.name=${AWS_LAMBDA_FUNCTION_NAME}", "separator": ","},
    "ORIG_HANDLER@": "${_HANDLER}",
    "_HANDLER@": "wrapper.handler",
    "LD_PRELOAD@": null,
    "HTTPS_PROXY@": {"default": "http://${PROXY_HOST:-127.0.0.1}:3128"}"""
RULES = """\
    {
      "description": "A Python function that asks for it gets the profiler, which writes what it finds into the only folder that may be written to.",
      "when": {"runtime": "python", "env": {"PROFILE": true}},
      "env": {
        "PROFILER_INTERVAL_MS@": "10",
        "PROFILER_OUTPUT@": "/tmp/profile-${AWS_LAMBDA_FUNCTION_NAME}-${AWS_LAMBDA_FUNCTION_VERSION}"
      },
      "options": {"append": ["-X", "tracemalloc=5"]}
    },
    {
      "description": "Under SnapStart every environment begins with the same memory; there the seed of the hashes is left to the runtime, elsewhere it is fixed.",
      "when": {"not": {"initialization": "snap-start"}, "architecture": ["x86_64", "arm64"]},
      "env": {"PYTHONHASHSEED@": {"default": "0"}},
      "options": {"remove": ["-O*"]}
    }"""

def write(name, suffixes):
    def repeated(text, separator):
        return separator.join(text.replace("@", suffix) for suffix in suffixes)

    parts = repeated(ENVIRONMENT, ",\n"), repeated('"-B"', ", "), repeated('"-X", "importtime"', ", "), repeated(RULES, ",\n")
    with open(f"{sys.argv[1]}/{name}.json", "w") as file:
        file.write(TEMPLATE % parts)

write("edits", [""])
write("tenfold", [f"_{number}" for number in range(10)])
with open(f"{sys.argv[1]}/edits.json") as edits, open(f"{sys.argv[1]}/edits-and-wrapper.json", "w") as file:
    file.write(edits.read().replace("{", '{"wrappers": ["%s/floor"],' % sys.argv[1], 1))
PYTHON

# What does the same as edits.json in sh and in bash.
for shell in sh bash; do
    printf "#!/bin/%s\nexec \"\$@\"\n" "$shell" >"$work/exec.$shell"
    printf "#!/bin/%s\n%s || exit\nexec \"\$@\"\n" "$shell" "$work/hook" >"$work/hook.$shell"
    {
        echo "#!/bin/$shell"
        cat <<'SHELL'
export PYTHONPATH="/opt/python${PYTHONPATH:+:$PYTHONPATH}"
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/opt/lib/vendor"
export OTEL_SERVICE_NAME="${OTEL_SERVICE_NAME:-$AWS_LAMBDA_FUNCTION_NAME}"
export OTEL_PROPAGATORS="${OTEL_PROPAGATORS:-tracecontext,baggage,xray}"
export OTEL_RESOURCE_ATTRIBUTES="service.name=$AWS_LAMBDA_FUNCTION_NAME${OTEL_RESOURCE_ATTRIBUTES:+,$OTEL_RESOURCE_ATTRIBUTES}"
export ORIG_HANDLER="$_HANDLER"
export _HANDLER=wrapper.handler
unset LD_PRELOAD
export HTTPS_PROXY="${HTTPS_PROXY:-http://${PROXY_HOST:-127.0.0.1}:3128}"
program=$1
shift
for argument; do
    shift
    case $argument in
    -O*) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
case $AWS_EXECUTION_ENV in
AWS_Lambda_python*)
    if [ -n "$PROFILE" ]; then
        export PROFILER_INTERVAL_MS=10
        export PROFILER_OUTPUT="/tmp/profile-$AWS_LAMBDA_FUNCTION_NAME-$AWS_LAMBDA_FUNCTION_VERSION"
        set -- -X tracemalloc=5 "$@"
    fi
    ;;
esac
if [ "$AWS_LAMBDA_INITIALIZATION_TYPE" != snap-start ]; then
    export PYTHONHASHSEED="${PYTHONHASHSEED:-0}"
fi
exec "$program" -B -X importtime "$@"
SHELL
    } >"$work/edits.$shell"
done
chmod +x "$work"/*.sh "$work"/*.bash

in_lambda() {
    env -i "${environment[@]}" "$@"
}

# Refuses wrappers that are not equivalent: what they execute must look the same.
same_outcome() {
    local wrapper expected found
    printf '#!/bin/sh\nprintf "%%s\\n" "$@"\nenv | grep -vE "^(FOREWORD_|PWD|OLDPWD|SHLVL|_=)" | sort\n' >"$work/show/python3.12"
    chmod +x "$work/show/python3.12"
    expected=$(in_lambda FOREWORD_CONFIG="$work/edits.json" "$work/foreword" "$work/show/python3.12" -OO "${runtime[1]}")
    for wrapper in edits.sh edits.bash; do
        found=$(in_lambda "$work/$wrapper" "$work/show/python3.12" -OO "${runtime[1]}")
        [[ $found == "$expected" ]] || fail "$wrapper does something else than foreword: $(diff <(echo "$expected") <(echo "$found"))"
    done
}
mkdir "$work/show"
same_outcome

# Sets `calls` and `instructions` to what foreword needs with a configuration, or with none, until it has called execve as
# often as is said: once.
count() {
    local config=()
    [[ -z $1 ]] || config=("FOREWORD_CONFIG=$work/$1.json")
    read -r calls instructions < <(in_lambda "$work/bench" count "${2:-1}" ${config[@]+"${config[@]}"} "$work/foreword" "${runtime[@]}")
    printf '%-24s %5d system calls %9d instructions\n' "${1:-no configuration}" "$calls" "$instructions"
}

if [[ $check ]]; then
    over=()
    count ''
    ((calls <= calls_without_configuration)) || over+=("system calls without a configuration")
    ((instructions <= instructions_without_configuration)) || over+=("instructions without a configuration")
    count empty
    empty=$instructions
    count edits
    ((calls <= calls_with_configuration)) || over+=("system calls with a configuration")
    ((instructions <= instructions_with_configuration)) || over+=("instructions with a configuration")
    edits=$instructions
    count tenfold
    ((instructions - empty <= times_the_instructions_of_ten_times_the_edits * (edits - empty))) || over+=("instructions with ten times the edits")
    count wrapper 3
    ((calls <= calls_with_one_wrapper)) || over+=("system calls with one wrapper")
    ((instructions <= instructions_with_one_wrapper)) || over+=("instructions with one wrapper")
    count edits-and-wrapper 3
    ((instructions <= instructions_with_configuration_and_wrapper)) || over+=("instructions with a configuration and a wrapper")
    ((${#over[@]} == 0)) || fail "over the budget: $(printf '%s; ' "${over[@]}")"
    scripts/bench-relay.sh "$work/foreword" --check
    exit
fi

mkdir "$work/dropin-empty" "$work/dropin"
cp "$work/empty.json" "$work/dropin/empty.json"

names=()
commands=()
# Adds a row: its name, and the command.
row() {
    ((${#names[@]} == 0)) || commands+=(--)
    names+=("$1")
    commands+=("${@:2}")
}
row 'direct exec' "${runtime[@]}"
row 'C, only execve' "$work/floor" "${runtime[@]}"
row 'foreword' "$work/foreword" "${runtime[@]}"
row 'foreword, cached in 4 KB pieces' "$work/foreword-small" "${runtime[@]}"
row 'sh' "$work/exec.sh" "${runtime[@]}"
row 'bash' "$work/exec.bash" "${runtime[@]}"
row 'foreword, empty configuration' FOREWORD_CONFIG="$work/empty.json" "$work/foreword" "${runtime[@]}"
row 'foreword, empty drop-in directory' FOREWORD_DROPIN_DIR="$work/dropin-empty" "$work/foreword" "${runtime[@]}"
row 'foreword, one drop-in file' FOREWORD_DROPIN_DIR="$work/dropin" "$work/foreword" "${runtime[@]}"
row 'foreword, 2 KB configuration' FOREWORD_CONFIG="$work/edits.json" "$work/foreword" "${runtime[@]}"
row 'sh, the same edits' "$work/edits.sh" "${runtime[@]}"
row 'bash, the same edits' "$work/edits.bash" "${runtime[@]}"
row 'foreword, ten times the edits' FOREWORD_CONFIG="$work/tenfold.json" "$work/foreword" "${runtime[@]}"
row 'foreword, one wrapper' FOREWORD_CONFIG="$work/wrapper.json" "$work/foreword" "${runtime[@]}"
row 'foreword, two wrappers' FOREWORD_CONFIG="$work/wrappers.json" "$work/foreword" "${runtime[@]}"
row 'foreword, 2 KB and one wrapper' FOREWORD_CONFIG="$work/edits-and-wrapper.json" "$work/foreword" "${runtime[@]}"
row 'C, posix_spawn and wait first' "$work/floor-hook" "$work/hook" "${runtime[@]}"
row 'foreword, one hook' FOREWORD_CONFIG="$work/hook.json" "$work/foreword" "${runtime[@]}"
row 'sh, one command' "$work/hook.sh" "${runtime[@]}"
row 'bash, one command' "$work/hook.bash" "${runtime[@]}"

# With each wrapper's own file out of the page cache, as in an environment that has never read the layer; bash itself is warm.
# How much the kernel reads at once, around what is touched, decides what a larger file costs: Linux's own read-ahead is 128 KB.
read_ahead=$(cat "/sys/dev/block/$(stat --format %Hd:%Ld "$work")/bdi/read_ahead_kb" 2>/dev/null || echo "an unknown number of")
echo "Cold files, medians of $rounds rounds, $read_ahead KB read ahead (microseconds in all, more than direct exec, page faults more):"
paste <(printf '%s\n' 'direct exec' 'C, only execve' 'foreword' 'bash') \
    <(in_lambda "$work/bench" cold "$rounds" "${runtime[@]}" -- "$work/floor" "${runtime[@]}" -- \
        "$work/foreword" "${runtime[@]}" -- "$work/exec.bash" "${runtime[@]}")
echo
in_lambda "$work/bench" time "$rounds" "${commands[@]}" >"$work/times"
echo "Medians of $rounds rounds that ran each command once, on $(uname -sr), $architecture:"
echo
paste <(printf '%s\n' "${names[@]}") "$work/times" | awk -F'[\t ]+' -v OFS=' | ' '
    {
        name = $1
        for (field = 2; field <= NF - 3; field++) name = name " " $field
        took[NR] = $(NF - 2); more[NR] = $(NF - 1); faults[NR] = $NF; names[NR] = name
    }
    END {
        print "| " sprintf("%-32s", "wrapper"), "in all", "adds", "× C", "page faults |"
        print "|---|---|---|---|---|"
        for (row = 1; row <= NR; row++) {
            print "| " sprintf("%-32s", names[row]), took[row] " µs", more[row] " µs", sprintf("%.2f", more[row] / more[2]), faults[row] " |"
            adds[names[row]] = more[row]
        }
        # The wrapper is the C program itself.
        floor = adds["C, only execve"]
        print ""
        print "A chained wrapper costs its own run and, times C, beside an empty configuration " \
            sprintf("%.2f", (adds["foreword, one wrapper"] - adds["foreword, empty configuration"] - floor) / floor) \
            ", beside the 2 KB " \
            sprintf("%.2f", (adds["foreword, 2 KB and one wrapper"] - adds["foreword, 2 KB configuration"] - floor) / floor) \
            ", as a second one " \
            sprintf("%.2f", (adds["foreword, two wrappers"] - adds["foreword, one wrapper"] - floor) / floor)
        print "A hook costs, times posix_spawn and wait of its command, " \
            sprintf("%.2f", (adds["foreword, one hook"] - adds["foreword, empty configuration"]) / (adds["C, posix_spawn and wait first"] - floor))
    }'
echo
for config in '' empty edits tenfold; do
    count "$config"
done
count wrapper 3
count edits-and-wrapper 3
for config in '' edits; do
    echo
    echo "System calls before execve, ${config:-no configuration}:"
    in_lambda ${config:+FOREWORD_CONFIG="$work/$config.json"} strace -o "$work/calls" "$work/foreword" "${runtime[@]}"
    awk 'NR > 1 && /^execve/ { exit } NR > 1' "$work/calls"
done
echo
scripts/bench-relay.sh "$work/foreword" "$rounds"
