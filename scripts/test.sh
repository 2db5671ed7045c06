#!/usr/bin/env bash
# Checks everything that a change has to pass, and installs what that needs by itself.
# It changes nothing outside target/ but for missing Debian packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unset CARGO_TARGET_DIR

# Simulations have a /tmp of their own, in which nothing of a project can be seen that lies in /tmp.
if [[ $PWD == /tmp/* ]]; then
    elsewhere=$(mktemp -d /var/tmp/foreword-XXXXXX)
    trap 'rm -rf "$elsewhere"' EXIT
    chmod 755 "$elsewhere"
    tar --exclude=./target -cf - . | tar -xf - -C "$elsewhere"
    "$elsewhere/scripts/test.sh"
    exit
fi

# What foreword needs today and a little more: whoever raises one says why in the change.
dependency_budget=15
# The tool's own: clap and what it is made of, and what unpacks a zip.
tool_dependency_budget=7

# Announces a check on the way to running it.
check() {
    echo "== $*"
    "$@"
}

# Builds the layers here, and again in a copy of the source elsewhere: time and place must leave no trace in it.
reproducible_layer() {
    local copy architecture
    copy=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$copy'" EXIT
    cp -R Cargo.toml Cargo.lock rust-toolchain.toml src manual secrets layer scripts "$copy"
    scripts/build-layer.sh
    for architecture in x86_64 arm64; do
        CARGO_TARGET_DIR=$PWD/target/again "$copy/scripts/build-layer.sh" --arch "$architecture"
    done
    (cd target/layer && sha256sum --check --strict SHA256SUMS)
    diff target/layer/SHA256SUMS target/again/layer/SHA256SUMS
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

# What a layer is unpacked to is started by the link that it has besides the binary.
# Takes the layer's name, the link, and what it says where Lambda tells it nothing.
started_by_its_link() (
    whole=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -r '$whole'" EXIT
    for architecture in x86_64 arm64; do
        folder=$whole/$architecture
        python3 - "target/layer/$1-$architecture.zip" "$2" "$folder" <<'END'
import os, sys, zipfile

layer, link, folder = sys.argv[1:]
with zipfile.ZipFile(layer) as archive:
    target = archive.read(link).decode()
    archive.extract("bin/foreword", folder)
    os.chmod(f"{folder}/bin/foreword", 0o755)
    os.makedirs(os.path.dirname(f"{folder}/{link}"), exist_ok=True)
    os.symlink(target, f"{folder}/{link}")
    assert os.path.samefile(f"{folder}/bin/foreword", f"{folder}/{link}"), target
END
        emulator=()
        [[ $(uname -m) == "${architecture/arm64/aarch64}" ]] ||
            emulator=("qemu-${architecture/arm64/aarch64}-static" -0 "$folder/$2")
        said=$(env -u AWS_LAMBDA_RUNTIME_API -u _HANDLER "${emulator[@]}" "$folder/$2" 2>&1) || :
        [[ $said == "foreword: $3" ]] || { echo "$1-$architecture: $said" >&2 && return 1; }
    done
)

# What must not become a layer.
refused_layers() (
    # shellcheck source=/dev/null # it is checked by itself
    source scripts/build-layer.sh
    binary=target/x86_64-unknown-linux-musl/release/foreword
    examine "$binary"
    refuses() {
        local said
        said=$("${@:2}" 2>&1) && echo "\"${*:2}\" succeeded" >&2 && return 1
        [[ $said == *"$1"* ]] || { echo "$said" >&2 && return 1; }
    }
    target_folder=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -r '$target_folder'" EXIT
    refuses "is not static" examine "$(type -P true)"
    refuses "unable to read" examine scripts/test.sh
    target_folder=/opt refuses "holds the path /opt" examine "$binary"
    cargo_home=/opt refuses "holds the path /opt" examine "$binary"
    std_source=/rustc refuses "holds the path /rustc" examine "$binary"
    binary_budget=1000 refuses "more than 1000" examine "$binary"
    architecture=x86_64
    mkdir "$target_folder/layer"
    zip_budget=1000 refuses "more than 1000" pack foreword
)

# What the layer script leaves beside the layers: the tool, completions that complete, and a man page for each command.
tool_beside_layers() {
    # shellcheck disable=SC2016 # for the other shell
    bash -euc 'source target/tool/completions/bash; COMP_WORDS=(foreword ch) COMP_CWORD=1; _foreword foreword ch foreword; [[ ${COMPREPLY[*]} == check ]]'
    target/tool/foreword check layer/examples/*.json
    target/tool/foreword --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\).*/\1/p' | grep -vx help | while read -r command; do
        grep --quiet --fixed-strings ".SH SYNOPSIS" "target/tool/man/foreword-$command.1"
    done
}

# Takes arguments for cargo.
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

# Licences, sources and versions of the dependencies, and what is known to be wrong with them.
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

# The path of something that scripts/real-parts.sh downloads.
checker() {
    local path=$PWD/target/real-parts/checkers/bin/$1
    [[ -x $path ]] || { echo "skipped: there is no $1" >&2 && return 1; }
    echo "$path"
}

# The justfile can be read and is formatted.
recipes() {
    local just
    just=$(checker just) || return 0
    "$just" --fmt --check --unstable
}

# The oldest Rust that Cargo.toml says is enough.
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

# The integration tests with the layer's own binaries, which have no tool: the one for this machine, and the other under an
# emulator.
layer_tests() {
    local tests native=x86_64 other=aarch64 emulated=$PWD/target/emulated
    [[ $(uname -m) != aarch64 ]] || native=aarch64 other=x86_64
    FOREWORD_UNDER_TEST=$PWD/target/$native-unknown-linux-musl/release/foreword \
        cargo test --locked --no-default-features --features real-parts --test integration -- --skip documentation

    # A program, because a shell would change the environment on its way.
    mkdir -p "$emulated"
    cc -O2 -x c -DEMULATOR="\"$(type -P "qemu-$other-static")\"" \
        -DFOREWORD="\"$PWD/target/$other-unknown-linux-musl/release/foreword\"" -o "$emulated/foreword" - <<'END'
#include <unistd.h>

int main(int count, char **words, char **environment)
{
    char *command[count + 4];
    command[0] = EMULATOR;
    command[1] = "-0";
    command[2] = words[0];
    command[3] = FOREWORD;
    for (int index = 1; index <= count; index++)
        command[index + 3] = words[index];
    return execve(EMULATOR, command, environment) != 0;
}
END
    # Left out is what the emulator itself makes different. It drops and reorders odd entries of the environment, and ignores
    # a signal of its C library's. A program for another machine than foreword's is one for this machine. The file of the
    # process is the emulator's, so that foreword does not know itself. And what executes the stand-in, a link to foreword,
    # executes it without the emulator. It writes /proc/self/stat itself, so that a process is not known by its start time, and
    # makes processes in its own way.
    tests=(documentation sandbox:: every_byte the_place_of_the_marker a_hook_without_edits_has signal_dispositions a_log_without_a_reader
        a_program_of_a_machine a_program_of_this_machine what_is_no_program a_process_that_the_machine_refuses
        bootstrap_does_not_take_itself chain stand_in and_wrappers which_wrapper_cannot two_wrappers_run behind_other_wrappers)
    FOREWORD_UNDER_TEST=$emulated/foreword \
        cargo test --locked --no-default-features --features real-parts --test integration -- "${tests[@]/#/--skip=}"
}

# The tests of foreword-secrets, with the program that cargo builds and with that of the layer for this machine.
secrets_tests() {
    local native=x86_64
    [[ $(uname -m) != aarch64 ]] || native=aarch64
    cargo clippy --locked --package foreword-secrets --no-default-features -- -D warnings
    cargo clippy --locked --package foreword-secrets --features real-parts --all-targets -- -D warnings
    cargo test --locked --package foreword-secrets --features real-parts
    FOREWORD_SECRETS_UNDER_TEST=$PWD/target/$native-unknown-linux-musl/release/foreword-secrets \
        cargo test --locked --package foreword-secrets --features real-parts --test integration
}

# The tests of what foreword does on Lambda once more, with one system call after the other refused that nobody knows Lambda
# to let pass, and with all of them. What is left out cannot do without itself: the event loops of Go and Node, which AWS's
# emulator and clients have, need eventfd2, and two tests take the names of abstract sockets themselves.
refused_calls() {
    local error refused every=(pidfd_open pidfd_send_signal close_range memfd_create signalfd4 eventfd2 restart_syscall)
    local tests=(hook exports init_error logs relay extension chain stand_in thaw)
    local skipped=(sandbox:: emulator bootstrap clients other_users_are_left_out who_says_something_else a_directory_that_is_there)
    for error in EPERM ENOSYS; do
        for refused in "pidfd_open pidfd_send_signal" close_range memfd_create signalfd4 eventfd2 restart_syscall \
            abstract-sockets "${every[*]} abstract-sockets"; do
            # It is not an error of a system call.
            [[ $error$refused != ENOSYSabstract-sockets ]] || continue
            refused=" $refused "
            for call in "${every[@]}"; do
                refused=${refused/ $call / $call=$error }
            done
            echo "== refused:$refused"
            FOREWORD_TEST_REFUSED=$refused cargo test --locked --features real-parts --quiet --test integration -- \
                "${skipped[@]/#/--skip=}" "${tests[@]}"
        done
    done
}

# Where the machine lets nobody make a sandbox like Lambda's, tests fail that need none.
export FOREWORD_TEST_SANDBOX=${FOREWORD_TEST_SANDBOX-required}

check scripts/real-parts.sh
check cargo fmt --check
for features in "" --features=real-parts; do
    check cargo clippy --locked ${features:+"$features"} --all-targets -- -D warnings
    check cargo clippy --locked --no-default-features ${features:+"$features"} --all-targets -- -D warnings
done
mapfile -t scripts < <(find scripts tests -name '*.sh')
check shellcheck .ci/run scripts/sandbox "${scripts[@]}"
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
check scripts/bench.sh --check
check scripts/bench-extension.sh --check
check layer_tests
check secrets_tests
check cargo test --locked --features real-parts
check refused_calls
