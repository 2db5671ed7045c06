# The commands of this project, for https://just.systems: each is a script, or one command of
# cargo's. `just` alone lists them.

set positional-arguments

_list:
    @just --list --unsorted

# Shows foreword at work, from a dummy interpreter to a snapshot
demo:
    scripts/demo.sh

# Runs the tests that need nothing but a Rust toolchain
unit *ARGUMENTS:
    cargo test --locked "$@"

# Checks everything that a change has to pass, and installs what that needs
test:
    scripts/test.sh

# Formats the code
fmt:
    cargo fmt

# Lints the code of the tool and of the layer's binary, and the scripts
lint:
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --no-default-features --all-targets -- -D warnings
    shellcheck .ci/run scripts/sandbox scripts/*.sh

# Builds the layers and the tool into target
layer *ARGUMENTS:
    scripts/build-layer.sh "$@"

# Measures what foreword and its relay add; --check only counts what repeats exactly
bench *ARGUMENTS:
    scripts/bench.sh "$@"

# Measures the extension; --check only counts
bench-extension *ARGUMENTS:
    scripts/bench-extension.sh "$@"

# Measures a start with a secret, beside hooks with boto3 and with the AWS CLI: bench-secrets [ROUNDS]
bench-secrets *ARGUMENTS:
    scripts/bench-secrets.sh "$@"

# Fuzzes the parsers: RUNS, or --check, and targets
fuzz *ARGUMENTS:
    scripts/fuzz.sh "$@"

# Starts a command as Lambda would
sandbox *ARGUMENTS:
    scripts/sandbox "$@"

# Installs the interpreters, runtime clients and checkers that the tests use
real-parts *PARTS:
    scripts/real-parts.sh "$@"
