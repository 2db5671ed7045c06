#!/usr/bin/env bash
# Writes scripts/layout.ld anew: runs the wrapper without a configuration, with the one named, with another wrapper, and
# with a hook, counts with callgrind which functions that takes, and lists them. For maintainers, on x86_64: layout.sh
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

# Prints the patterns of the functions that one start runs; what changes from build to build is left open.
functions() {
    env -i FOREWORD_DROPIN_DIR=/nonexistent "$@" valgrind --trace-children="$follow" --tool=callgrind --demangle=no \
        --dump-before=execve --callgrind-out-file="$work/calls.%p" "$release/foreword" \
        /usr/bin/python3 bootstrap.py >"$work/log" 2>&1 || true
    grep -ohE '^c?fn=\([0-9]+\) .*' "$work"/calls.*.1 |
        sed -E "s/^[^ ]+ //; s/'[0-9]+\$//; /^(0x|\()/d" |
        sed -E 's/17h[0-9a-f]{16}E$/17h*/; s/Cs[0-9A-Za-z]+_/*/g; s/\*+/*/g; s/\$/?/g' |
        sed -E 's/^_R/.text*_R/; t; s/^_Z/.text*._Z/; t; s/^/.text./' | LC_ALL=C sort -u
    rm -f "$work"/calls*
}
release=$work/x86_64-unknown-linux-musl/release
follow=no
functions >"$work/without"
functions "FOREWORD_CONFIG=$configuration" | LC_ALL=C comm -13 "$work/without" - >"$work/with"
# Of the programs that a chain executes, the last one to call execve is the stand-in.
chain='FOREWORD_CONFIG={"wrappers": ["/usr/bin/env"], "options": {"append": ["-B"]}}'
mkdir "$release/stand-in"
ln -s ../foreword "$release/stand-in/python3"
{
    functions "$chain"
    follow=yes functions "$chain"
} | LC_ALL=C sort -u | LC_ALL=C comm -23 - <(LC_ALL=C sort "$work/without" "$work/with") >"$work/chain"
functions 'FOREWORD_CONFIG={"hooks": {"initialize": [{"name": "a", "command": ["/bin/true"]}]}}' |
    LC_ALL=C comm -23 - <(LC_ALL=C sort "$work/without" "$work/with" "$work/chain") >"$work/hook"

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
