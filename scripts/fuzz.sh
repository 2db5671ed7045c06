#!/usr/bin/env bash
# Fuzzes what parses bytes that others write: fuzz.sh [--check | RUNS [TARGET…]]. The targets are those of fuzz/; each starts
# from its corpus and makes a fixed number of runs, a million unless said otherwise, so that they repeat exactly. A failure
# leaves the bytes in target/fuzz. What a corpus is to keep is copied to fuzz/corpus/TARGET by hand: `cargo test` runs all of it.
# With --check the runs are few, and where the nightly toolchain, a C++ compiler or cargo-fuzz is missing one line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset CARGO_TARGET_DIR

few=5000

fail() {
    echo "fuzz: $*" >&2
    exit 1
}

check=
runs=1000000
case ${1-} in
"") ;;
--check) check=1 runs=$few ;;
*[!0-9]* | 0*) fail "usage: scripts/fuzz.sh [--check | RUNS [TARGET…]]" ;;
*) runs=$1 ;;
esac
targets=("${@:2}")
((${#targets[@]})) || for target in fuzz/fuzz_targets/*.rs; do
    targets+=("$(basename "$target" .rs)")
done

# Ends without what fuzzing needs.
missing() {
    [[ -z $check ]] || { echo "skipped: there is no $1" && exit; }
    fail "there is no $1"
}

PATH=$PATH:$PWD/target/real-parts/checkers/bin
cargo +nightly --version >/dev/null 2>&1 || missing "nightly toolchain"
type -P c++ >/dev/null || missing "C++ compiler"
type -P cargo-fuzz >/dev/null || missing "cargo-fuzz; scripts/real-parts.sh checkers downloads it"

cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null ||
    fail "fuzz/Cargo.lock is out of date: cargo update --workspace --manifest-path fuzz/Cargo.toml"
# The fuzzer itself takes longer to compile than few runs do.
[[ -z $check ]] || export CXXFLAGS=-O0
# Nothing that is fuzzed has unsafe code, so that no sanitizer is needed.
cargo +nightly fuzz build --sanitizer none --target-dir target/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
for target in "${targets[@]}"; do
    corpus=fuzz/corpus/$target
    [[ -d $corpus ]] || fail "no such target: $target"
    mkdir "$found/$target"
    "target/fuzz/$host/release/$target" -seed=1 -runs="$runs" -timeout=10 -artifact_prefix="target/fuzz/$target-" \
        "$found/$target" "$corpus" >"$found/log" 2>&1 || {
        tail -n 60 "$found/log" >&2
        fail "$target failed"
    }
    echo "fuzz: $target: $runs runs from $(find "$corpus" -type f | wc -l) files, $(find "$found/$target" -type f | wc -l) found"
done
