#!/usr/bin/env bash
# Writes scripts/layout.ld anew: runs the wrapper without a configuration, with the one named, with another wrapper, and
# with a hook, looks with valgrind which functions that takes, and lists them. For maintainers, on x86_64: layout.sh
# CONFIGURATION.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ $# -eq 1 && -f $1 ]] || {
    echo "usage: scripts/layout.sh CONFIGURATION" >&2
    exit 2
}
configuration=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# With its symbols the binary is over the budget, which ends that script when everything needed is there.
CARGO_TARGET_DIR=$work CARGO_PROFILE_RELEASE_STRIP=false scripts/build-layer.sh --arch x86_64 || true

release=$work/x86_64-unknown-linux-musl/release
mkdir "$release/stand-in"
ln -s ../foreword "$release/stand-in/python3"
cp /bin/true "$work/python3"
touch "$work/listed"

# Lists in a file the patterns of the functions that one start runs and no list has yet, in the order in which they are first
# run, so that what the processor fetches ahead is of use; what changes from build to build is left open.
functions() {
    env -i FOREWORD_DROPIN_DIR=/nonexistent "${@:2}" valgrind --trace-children=yes --tool=lackey --trace-mem=yes \
        "$release/foreword" "$work/python3" bootstrap.py 2>&1 |
        python3 -c "$first_run" <(nm -n "$release/foreword") |
        sed -E 's/17h[0-9a-f]{16}E$/17h*/; s/Cs[0-9A-Za-z]+_/*/g; s/\*+/*/g; s/\$/?/g' |
        sed -E 's/^_R/.text*_R/; t; s/^_Z/.text*._Z/; t; s/^/.text./' |
        awk '!listed[$0]++' | { grep -vxFf "$work/listed" || true; } >"$work/$1"
    cat "$work/$1" >>"$work/listed"
}
# Reads which addresses are run, and prints the names of the functions there; other programs' are elsewhere.
first_run='
import bisect, sys

symbols = [line.split() for line in open(sys.argv[1])]
functions = {}
for address, kind, name in (symbol for symbol in symbols if len(symbol) == 3):
    if kind in "tTwW":
        functions.setdefault(int(address, 16), []).append(name)
starts = sorted(functions)
run = set()
for line in sys.stdin.buffer:
    if line.startswith(b"I "):
        address = int(line[2:].split(b",")[0], 16)
        start = bisect.bisect_right(starts, address) - 1
        if address >= starts[0] and address < starts[-1] and start not in run:
            run.add(start)
            print(*functions[starts[start]], sep="\n")
'
functions without
functions with "FOREWORD_CONFIG=$configuration"
functions chain 'FOREWORD_CONFIG={"wrappers": ["/usr/bin/env"], "options": {"append": ["-B"]}}'
functions hook 'FOREWORD_CONFIG={"hooks": {"initialize": [{"name": "a", "command": ["/bin/true"]}]}}'

{
    sed '/Without a configuration/q' scripts/layout.ld
    sed 's/.*/    *(&)/' "$work/without"
    echo "    *(.text.execve .text.__libc_start_main .text.*__init_tls .text.*static_init_tls .text.*fstat* .text.*sigaction*)"
    echo "    /* With one. */"
    sed 's/.*/    *(&)/' "$work/with"
    echo "    /* With another wrapper. */"
    sed 's/.*/    *(&)/' "$work/chain"
    echo "    /* With a hook. */"
    sed 's/.*/    *(&)/' "$work/hook"
    sed -n "/What C's start-up calls/,\$p" scripts/layout.ld
} >"$work/layout.ld"
mv "$work/layout.ld" scripts/layout.ld
