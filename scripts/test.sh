#!/usr/bin/env bash
# Checks everything that a change has to pass, and installs what that needs by itself.
# It changes nothing outside target/ but for missing Debian packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unset CARGO_TARGET_DIR

# What foreword needs today and a little more: whoever raises one says why in the change.
dependency_budget=26
binary_budget=2000000

# Announces a check on the way to running it.
check() {
    echo "== $*"
    "$@"
}

# Builds the layer here and in a copy of the source elsewhere: time and place must leave no trace in it.
reproducible_layer() {
    local copy first second
    copy=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$copy'" EXIT
    cp -R Cargo.toml Cargo.lock src layer scripts "$copy"
    scripts/build-layer.sh
    CARGO_TARGET_DIR=$PWD/target/again "$copy/scripts/build-layer.sh"
    first=$(echo target/layer/foreword-*.zip)
    second=$(echo target/again/layer/foreword-*.zip)
    cmp "$first" "$second"
}

budgets() {
    local dependencies size
    dependencies=$(cargo tree --locked --edges normal --prefix none --no-dedupe --format '{p}' | sort -u | grep -vc '^foreword ')
    size=$(stat --format %s target/*-linux-*/release/foreword)
    echo "dependencies: $dependencies of $dependency_budget; bytes of the binary: $size of $binary_budget"
    if ((dependencies > dependency_budget || size > binary_budget)); then
        echo "test: over the budget" >&2
        return 1
    fi
}

check scripts/real-parts.sh
check cargo fmt --check
check cargo clippy --locked --all-targets -- -D warnings
mapfile -t scripts < <(find scripts tests -name '*.sh')
check shellcheck .ci/run "${scripts[@]}"
check reproducible_layer
check budgets
check cargo test --locked
