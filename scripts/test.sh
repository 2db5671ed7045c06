#!/usr/bin/env bash
# Runs every check that a change has to pass, and installs what it needs into target/. Outside of target/ it only
# installs missing Debian packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unset CARGO_TARGET_DIR

# A project in /tmp would be invisible in simulations, which have a /tmp of their own.
if [[ $PWD == /tmp/* ]]; then
    elsewhere=$(mktemp -d /var/tmp/foreword-XXXXXX)
    trap 'rm -rf "$elsewhere"' EXIT
    chmod 755 "$elsewhere"
    tar --exclude=./target -cf - . | tar -xf - -C "$elsewhere"
    "$elsewhere/scripts/test.sh"
    exit
fi

# The number of crates; a change that raises one of these says why.
# Eight of them are tracing, tracing-subscriber and what these are made of; strsim finds near misses; one is the library half of
# foreword-secrets.
dependency_budget=23
# Crates that only the tool needs: clap with its dependencies, and what unpacks a zip.
tool_dependency_budget=6

# Prints and runs a check.
check() {
    echo "== $*"
    "$@"
}

# Builds the layers here and from a copy of the source elsewhere; both have to be identical, whatever time and place.
reproducible_layer() {
    local copy arguments
    copy=$(mktemp -d)
    # shellcheck disable=SC2064 # expands now, to this directory
    trap "rm -rf '$copy'" EXIT
    cp -R Cargo.toml Cargo.lock rust-toolchain.toml src manual secrets layer scripts "$copy"
    # Both builds run at once, because linking uses one processor. Toolchain parts are installed before.
    timeout 120 rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl >/dev/null 2>&1 || true
    timeout 120 rustup component add rust-src >/dev/null 2>&1 || true
    mkdir -p target/again
    # AWS's SDK takes minutes of two processors, so that foreword-secrets is built again for one architecture only.
    for arguments in "--arch x86_64" "--arch arm64 --only foreword"; do
        # shellcheck disable=SC2086 # words
        CARGO_TARGET_DIR=$PWD/target/again "$copy/scripts/build-layer.sh" $arguments || exit
    done >target/again/log 2>&1 &
    scripts/build-layer.sh
    wait $! || { cat target/again/log >&2 && return 1; }
    (cd target/layer && sha256sum --check --strict SHA256SUMS)
    diff <(grep -v foreword-secrets-arm64 target/layer/SHA256SUMS) target/again/layer/SHA256SUMS
    python3 - target/layer/foreword-*.zip <<'END'
import posixpath, sys, zipfile

LINKS = {"foreword": set(), "foreword-bootstrap": {"bootstrap"}, "foreword-prestop": {"extensions/foreword"}, "foreword-secrets": None}
layers = {f"{name}-{architecture}" for name in LINKS for architecture in ["x86_64", "arm64"]}
assert {posixpath.basename(path) for path in sys.argv[1:]} == {f"{layer}.zip" for layer in layers}, sys.argv

for path in sys.argv[1:]:
    layer = zipfile.ZipFile(path)
    binary, *links = layer.infolist()
    assert oct(binary.external_attr >> 16) == "0o100755", path
    name = posixpath.basename(path).rpartition("-")[0]
    if LINKS[name] is None:
        assert (binary.filename, links) == (f"bin/{name}", []), path
        continue
    assert binary.filename == "bin/foreword", path
    for link in links:
        target = layer.read(link).decode()
        assert oct(link.external_attr >> 16) == "0o120777", (path, link)
        found = posixpath.normpath(posixpath.join(posixpath.dirname(link.filename), target))
        assert found == binary.filename, (path, link.filename, target)
    others = {link.filename for link in links if not link.filename.startswith("bin/stand-in/")}
    assert others == LINKS[name], (path, others)
    assert {"bin/stand-in/python3.12", "bin/stand-in/node", "bin/stand-in/bootstrap"} <= {link.filename for link in links}, path
END
}

# Starts foreword by the symlink that a layer has besides those to stand-ins: LAYER SYMLINK MESSAGE, where MESSAGE is
# what foreword prints without Lambda's environment.
started_by_its_link() (
    whole=$(mktemp -d)
    # shellcheck disable=SC2064 # expands now, to this directory
    trap "rm -r '$whole'" EXIT
    for architecture in x86_64 arm64; do
        directory=$whole/$architecture
        python3 - "target/layer/$1-$architecture.zip" "$2" "$directory" <<'END'
import os, sys, zipfile

layer, symlink, directory = sys.argv[1:]
with zipfile.ZipFile(layer) as archive:
    target = archive.read(symlink).decode()
    archive.extract("bin/foreword", directory)
    os.chmod(f"{directory}/bin/foreword", 0o755)
    os.makedirs(os.path.dirname(f"{directory}/{symlink}"), exist_ok=True)
    os.symlink(target, f"{directory}/{symlink}")
    assert os.path.samefile(f"{directory}/bin/foreword", f"{directory}/{symlink}"), target
END
        emulator=()
        [[ $(uname -m) == "${architecture/arm64/aarch64}" ]] ||
            emulator=("qemu-${architecture/arm64/aarch64}-static" -0 "$directory/$2")
        said=$(env -u AWS_LAMBDA_RUNTIME_API -u _HANDLER "${emulator[@]}" "$directory/$2" 2>&1) || :
        [[ $said == "foreword: $3" ]] || { echo "$1-$architecture: $said" >&2 && return 1; }
    done
)

# Checks that scripts/build-layer.sh refuses binaries and zips that must not become a layer.
refused_layers() (
    # shellcheck source=/dev/null # checked as a file of its own
    source scripts/build-layer.sh
    binary=target/x86_64-unknown-linux-musl/release/foreword
    examine_foreword "$binary"
    refuses() {
        local said
        said=$("${@:2}" 2>&1) && echo "\"${*:2}\" succeeded" >&2 && return 1
        [[ $said == *"$1"* ]] || { echo "$said" >&2 && return 1; }
    }
    target_folder=$(mktemp -d)
    # shellcheck disable=SC2064 # expands now, to this directory
    trap "rm -r '$target_folder'" EXIT
    refuses "is not static" examine_foreword "$(type -P true)"
    refuses "unable to read" examine_foreword scripts/test.sh
    target_folder=/opt refuses "holds the path /opt" examine_foreword "$binary"
    cargo_home=/opt refuses "holds the path /opt" examine_foreword "$binary"
    std_source=/rustc refuses "holds the path /rustc" examine_foreword "$binary"
    binary_budget=1000 refuses "more than 1000" examine_foreword "$binary"
    for part in "a resolver:/etc/resolv.conf" "an unwinder:LIBUNWIND_PRINT_UNWINDING"; do
        cat "$binary" - <<<"${part#*:}" >"$target_folder/whole"
        refuses "holds ${part%%:*}" examine_foreword "$target_folder/whole"
    done
    architecture=x86_64
    mkdir "$target_folder/layer"
    zip_budget=1000 refuses "more than 1000" pack_foreword
)

# Checks what scripts/build-layer.sh writes beside the layers: the tool, completions, and a man page for each command.
tool_beside_layers() {
    # shellcheck disable=SC2016 # for the other shell
    bash -euc 'source target/tool/completions/bash; COMP_WORDS=(foreword ch) COMP_CWORD=1; _foreword foreword ch foreword; [[ ${COMPREPLY[*]} == check ]]'
    target/tool/foreword check layer/examples/*.json
    target/tool/foreword --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\).*/\1/p' | grep -vx help | while read -r command; do
        grep --quiet --fixed-strings ".SH SYNOPSIS" "target/tool/man/foreword-$command.1"
    done
}

# Counts dependencies; arguments are cargo's.
count_dependencies() {
    cargo tree --locked --edges normal --prefix none --no-dedupe --format '{p}' "$@" | sort -u | grep -vc '^foreword '
}

dependencies() {
    local layer tool
    layer=$(count_dependencies --no-default-features)
    tool=$(($(count_dependencies) - layer))
    echo "$layer of $dependency_budget, and $tool of $tool_dependency_budget for the tool"
    ((layer <= dependency_budget && tool <= tool_dependency_budget))
}

# Checks licences, sources, versions and advisories of the dependencies.
permitted_dependencies() {
    local deny
    deny=$(checker cargo-deny) || return 0
    "$deny" --log-level error check bans licenses sources
    "$deny" --log-level error --manifest-path secrets/Cargo.toml --config secrets/deny.toml check bans licenses sources
    if timeout 60 "$deny" fetch db >/dev/null 2>&1; then
        "$deny" --log-level error check --disable-fetch advisories
        "$deny" --log-level error --manifest-path secrets/Cargo.toml --config secrets/deny.toml check --disable-fetch advisories
    else
        echo "skipped: the advisories on dependencies, whose database cannot be reached"
    fi
}

# Prints the path of a checker that scripts/real-parts.sh downloads.
checker() {
    local path=$PWD/target/real-parts/checkers/bin/$1
    [[ -x $path ]] || { echo "skipped: there is no $1" >&2 && return 1; }
    echo "$path"
}

# Checks that lines of Rust in these directories have at most 100 columns, except for raw strings and URLs: rustfmt does not
# report lines that it cannot break.
columns() {
    python3 - "$@" <<'END'
import pathlib, re, sys

is_wide = False
for path in (path for directory in sys.argv[1:] for path in sorted(pathlib.Path(directory).rglob("*.rs"))):
    text = path.read_text()
    # Replaces each raw string by its line breaks.
    shown = re.sub(r'r(#+)".*?"\1', lambda raw: "\n" * raw[0].count("\n"), text, flags=re.DOTALL)
    for number, line in enumerate(shown.split("\n"), 1):
        if len(line) > 100 and "://" not in line:
            print(f"{path}:{number}: {len(line)} columns")
            is_wide = True
sys.exit(is_wide)
END
}

# Checks that just can read the justfile and that it is formatted.
recipes() {
    local just
    just=$(checker just) || return 0
    "$just" --fmt --check --unstable
}

# Compiles with the oldest Rust that Cargo.toml allows.
oldest_rust() {
    local version
    version=$(sed -n 's/^rust-version = "\(.*\)"$/\1.0/p' Cargo.toml)
    if ! cargo "+$version" --version >/dev/null 2>&1 &&
        ! timeout 120 rustup toolchain install "$version" --profile minimal --no-self-update >/dev/null 2>&1; then
        echo "skipped: Rust $version cannot be had"
        return 0
    fi
    cargo "+$version" check --locked
    cargo "+$version" check --locked --no-default-features
}

# Makes target/emulated/NAME, which runs a layer's program of the other architecture.
emulated_program() {
    local other=aarch64
    [[ $(uname -m) != aarch64 ]] || other=x86_64
    mkdir -p target/emulated
    # A C program, because a shell would change the environment.
    cc -O2 -x c -DEMULATOR="\"$(type -P "qemu-$other-static")\"" \
        -DPROGRAM="\"$PWD/target/$other-unknown-linux-musl/release/$1\"" -o "target/emulated/$1" - <<'END'
#include <unistd.h>

int main(int count, char **words, char **environment)
{
    char *command[count + 4];
    command[0] = EMULATOR;
    command[1] = "-0";
    command[2] = words[0];
    command[3] = PROGRAM;
    for (int index = 1; index <= count; index++)
        command[index + 3] = words[index];
    return execve(EMULATOR, command, environment) != 0;
}
END
}

# Runs the integration tests with the layer's own binaries, which have no tool: the one for this machine, and the other one
# under an emulator.
layer_tests() {
    local tests native=x86_64 emulated=$PWD/target/emulated
    [[ $(uname -m) != aarch64 ]] || native=aarch64
    FOREWORD_UNDER_TEST=$PWD/target/$native-unknown-linux-musl/release/foreword \
        cargo test --locked --no-default-features --features real-parts --test integration -- --skip documentation

    emulated_program foreword
    # Skipped are the tests in which the emulator itself makes a difference:
    # - it drops and reorders odd entries of the environment, and ignores a signal of its C library's;
    # - a program for another machine than foreword's is a program for this machine;
    # - /proc/self/exe is the emulator, so foreword does not recognize itself;
    # - whoever executes the stand-in, a symlink to foreword, executes it without the emulator;
    # - it emulates /proc/self/stat, so start times do not identify a process, and it starts processes in its own way.
    tests=(documentation sandbox:: secrets:: every_byte marker_directory_that_is_missing hook_without_edits_has signal_dispositions
        log_without_a_reader program_of_the_other_byte_order program_of_this_machine file_that_is_no_program
        process_that_the_system_refuses bootstrap_does_not_take_itself chain stand_in and_wrappers
        wrapper_that_cannot_be_executed two_wrappers_run after_other_wrappers)
    # An emulator computes even where a program only waits.
    FOREWORD_UNDER_TEST=$emulated/foreword RUST_TEST_THREADS=$(nproc) \
        cargo test --locked --no-default-features --features real-parts --test integration -- "${tests[@]/#/--skip=}"
}

# The tests of foreword-secrets, with the program that cargo builds and with those of the layers.
secrets_tests() {
    local native=x86_64
    [[ $(uname -m) != aarch64 ]] || native=aarch64
    cargo clippy --locked --package foreword-secrets --no-default-features -- -D warnings
    cargo clippy --locked --package foreword-secrets --features real-parts --all-targets -- -D warnings
    cargo test --locked --package foreword-secrets --features real-parts
    FOREWORD_SECRETS_UNDER_TEST=$PWD/target/$native-unknown-linux-musl/release/foreword-secrets \
        cargo test --locked --package foreword-secrets --features real-parts --test integration
    emulated_program foreword-secrets
    FOREWORD_SECRETS_UNDER_TEST=$PWD/target/emulated/foreword-secrets RUST_TEST_THREADS=$(nproc) \
        cargo test --locked --package foreword-secrets --features real-parts --test integration -- values::
}

# Runs tests with system calls refused: ERROR "CALL…" TEST…. Skipped are tests that need such a call themselves: the event
# loops of Go and Node.js, in AWS's emulator and clients, need eventfd2, and two tests use abstract sockets.
refused() {
    local call refused=" $2 "
    local skipped=(sandbox:: emulator bootstrap clients handover_between_users handover_of_garbage
        handover_directory_that_exists)
    for call in $2; do
        # Abstract sockets are no system call, and have no error.
        [[ $call == abstract-sockets ]] || refused=${refused/ $call / $call=$1 }
    done
    echo "== refused:$refused"
    FOREWORD_TEST_REFUSED=$refused cargo test --locked --features real-parts --quiet --test integration -- \
        "${skipped[@]/#/--skip=}" "${@:3}"
}

# Runs the tests of what foreword does on Lambda again, with each system call refused that Lambda may refuse, and with all.
refused_calls() {
    local call error every
    local tests=(hook exports init_error logs relay extension chain stand_in thaw secrets::program secrets::signal)
    # foreword makes none of these. All tests run with all four refused, to find a call that was added; each alone is only
    # refused to tests of every kind.
    local never_made=(close_range memfd_create signalfd4 eventfd2)
    local of_every_kind=(hooks:: exports:: chain_order relay_process relay_phases extension_handover extension_shutdown)
    every="pidfd_open pidfd_send_signal restart_syscall ${never_made[*]} abstract-sockets"
    for error in EPERM ENOSYS; do
        refused "$error" "pidfd_open pidfd_send_signal" "${tests[@]}"
        refused "$error" "${never_made[*]}" "${tests[@]}"
        for call in "${never_made[@]}"; do
            refused "$error" "$call" "${of_every_kind[@]}"
        done
        # The kernel makes this call for a process that is stopped and continued while it waits.
        refused "$error" restart_syscall thaw relay_life relay_tunnel hook_failures
        refused "$error" "$every" "${tests[@]}"
    done
    # The wrapper finds the extension by an abstract socket.
    refused EPERM abstract-sockets extension init_error chain_last hooks:: thaw
}

# Makes the tests fail, instead of running without it, where no sandbox like Lambda's can be made.
export FOREWORD_TEST_SANDBOX=${FOREWORD_TEST_SANDBOX-required}

# Tests wait more than they compute: on two processors, 366 tests took 127 s with two threads and 58 s with eight.
export RUST_TEST_THREADS=${RUST_TEST_THREADS-$((3 * $(nproc)))}

check scripts/real-parts.sh
check cargo fmt --check
for features in "" --features=real-parts; do
    check cargo clippy --locked ${features:+"$features"} --all-targets -- -D warnings
    check cargo clippy --locked --no-default-features ${features:+"$features"} --all-targets -- -D warnings
done
mapfile -t scripts < <(find scripts tests -name '*.sh')
check shellcheck .ci/run scripts/sandbox "${scripts[@]}"
check columns src fuzz manual secrets tests
check recipes
check dependencies
check permitted_dependencies
check oldest_rust
check reproducible_layer
check refused_layers
check started_by_its_link foreword-prestop extensions/foreword "unable to start the extension: AWS_LAMBDA_RUNTIME_API is not set"
check started_by_its_link foreword-bootstrap bootstrap \
    "unable to find the function's executable: _HANDLER, which names it, is not set"
check tool_beside_layers
check scripts/fuzz.sh --check
check scripts/bench.sh --check
check scripts/bench-extension.sh --check
check layer_tests
check secrets_tests
check cargo test --locked --features real-parts
check refused_calls
