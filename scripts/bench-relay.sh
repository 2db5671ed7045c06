#!/usr/bin/env bash
# Measures what foreword's relay adds to an invocation over loopback, beside a C program that only reads and writes, and
# the memory that it holds: bench-relay.sh FOREWORD [--check | ROUNDS]. With --check it only counts, and fails when that
# is over the budget. bench.sh, which builds the binary and installs what both need, calls it.
set -euo pipefail

# What is needed today and a little more: whoever raises one says why in the change. For each of the four messages of an
# invocation that is one wait, one read and one write.
calls_of_an_invocation=12
most_kilobytes=1536
# A thread more, when connections end later than usual, and no more with every connection.
kilobytes_more_after_thousands=32

fail() {
    echo "bench-relay: $*" >&2
    exit 1
}

[[ $# -ge 1 && -x $1 ]] || fail "usage: scripts/bench-relay.sh FOREWORD [--check | ROUNDS]"
foreword=$(realpath "$1")
rounds=${2:-1000}
large=$((6 << 20))

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
musl-gcc -O2 -static -s -Wall -Wextra -o "$work/bench" "$(dirname "${BASH_SOURCE[0]}")/bench-relay.c"
musl-gcc -O2 -static -s -x c -o "$work/hook" - <<'C'
int main(void) { return 0; }
C
hook='[{"name": "trivial", "command": ["'$work/hook'"]}]'
environment=(
    PATH="$PATH"
    AWS_LAMBDA_INITIALIZATION_TYPE=snap-start
    BENCH_FOREWORD="$foreword"
    FOREWORD_CONFIG="{\"hooks\": {\"before_snapshot\": $hook, \"after_restore\": $hook}}"
    FOREWORD_DROPIN_DIR=/nonexistent
    FOREWORD_LOG=error
)
# A restored environment leaves a mark, with which the next one would have no relay: it lies in a folder of this run's.
own=(unshare --mount)
((EUID == 0)) || own+=(--map-root-user)
[[ -d /tmp/.foreword ]] || mkdir -m 700 /tmp/.foreword
# shellcheck disable=SC2016 # for the other shell
own+=(sh -c 'mount --bind "$0" /tmp/.foreword && exec "$@"')

# Runs words in front of the Runtime API, which starts the runtime that the words behind -- are, with foreword before it.
restored() {
    local before=()
    while [[ $1 != -- ]]; do
        before+=("$1")
        shift
    done
    rm -rf "$work/mark" && mkdir "$work/mark"
    env -i "${environment[@]}" "${own[@]}" "$work/mark" ${before[@]+"${before[@]}"} \
        "$work/bench" serve "$foreword" "$work/bench" "${@:2}"
}

one_processor=(taskset -c "$(taskset -pc $$ | sed 's/.*[ ,-]//')")

# Sets `calls` to what the relay does for a hundred invocations.
count_calls() {
    restored "${one_processor[@]}" strace -f -qq -o "$work/calls" -- calls 100 >"$work/threads"
    calls=$(awk 'NR == FNR { relay[$1]; next } /access\("begin"/ { on = 1 } /access\("end"/ { on = 0 }
        on && $1 in relay && !/resumed>/ { count++ } END { print count + 0 }' "$work/threads" "$work/calls")
    awk -v calls="$calls" 'BEGIN { printf "%-24s %7.2f system calls an invocation\n", "relay", calls / 100 }'
}

# Sets `held`, a line for each count of invocations, to the kilobytes in all and those in no file.
count_memory() {
    local index in_all in_no_file counts=("${@:2}")
    mapfile -t held < <(restored -- memory "$@")
    ((${#held[@]} == ${#counts[@]})) || fail "the relay's memory is not known"
    for index in "${!counts[@]}"; do
        read -r in_all in_no_file <<<"${held[index]}"
        printf '%-24s %7d KB, %d KB of them in no file, after %d invocations of %d bytes\n' relay \
            "$in_all" "$in_no_file" "${counts[index]}" "$1"
    done
}

if [[ $rounds == --check ]]; then
    over=()
    count_calls
    # On a busy machine, a message comes in two pieces now and then.
    ((calls <= 102 * calls_of_an_invocation)) || over+=("system calls of an invocation")
    count_memory 100 1000 10000
    read -r few _ <<<"${held[0]}"
    read -r many _ <<<"${held[1]}"
    ((many <= most_kilobytes)) || over+=("memory")
    ((many - few <= kilobytes_more_after_thousands)) || over+=("memory that grows")
    ((${#over[@]} == 0)) || fail "over the budget: $(printf '%s; ' "${over[@]}")"
    exit
fi

names=()
# Adds a row: its name, and what gives its figures.
row() {
    names+=("$1")
    "${@:2}" >>"$work/times"
}
through_c=("$work/bench" serve "$work/bench" forward "$work/bench")
few=$((rounds * 10)) many=$((rounds / 10 + 1))
row 'foreword, 100 bytes' restored "${one_processor[@]}" -- time "$few" 100
row 'C, 100 bytes' "${one_processor[@]}" "${through_c[@]}" time "$few" 100
row 'foreword, 6 MiB' restored "${one_processor[@]}" -- time "$many" "$large"
row 'foreword, 100 bytes, all processors' restored -- time "$few" 100
row 'C, 100 bytes, all processors' "${through_c[@]}" time "$few" 100
row 'foreword, 6 MiB, all processors' restored -- time "$many" "$large"

echo "Medians of $few invocations with events and responses of 100 bytes, $many of 6 MiB, each next to a direct one:"
echo
paste <(printf '%s\n' "${names[@]}") "$work/times" | awk -F'[\t ]+' -v OFS=' | ' '
    BEGIN {
        print "| " sprintf("%-36s", "relay"), "direct", "relayed", "adds", "times direct |"
        print "|---|---|---|---|---|"
    }
    {
        name = $1
        for (field = 2; field <= NF - 4; field++) name = name " " $field
        print "| " sprintf("%-36s", name), $(NF - 3) " µs", $(NF - 2) " µs", $(NF - 1) " µs", $NF " |"
    }'
echo
count_calls
count_memory 100 1000 100000
count_memory "$large" 20
