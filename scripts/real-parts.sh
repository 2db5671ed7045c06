#!/usr/bin/env bash
# Installs the real parts that the tests run on into target/real-parts; what is there already is left alone.
# Arguments choose among: system (Debian packages) emulator python node. None means all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

awslambdaric=4.2.2
aws_sam_cli=1.170.0
aws_lambda_ric=3.3.0

parts=$PWD/target/real-parts
log=$parts/install.log

fail() {
    echo "real-parts: $*" >&2
    exit 1
}

# Runs a command whose output matters only when it fails.
quietly() {
    "$@" </dev/null >"$log" 2>&1 || {
        cat "$log" >&2
        fail "unable to run \"$*\": see above"
    }
}

# Takes COMMAND=PACKAGE pairs and installs the packages whose command is missing.
need() {
    local pair missing=()
    for pair in "$@"; do
        type -P "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    # Debian's python3 can lack the part of its library that makes virtual environments.
    if [[ " $* " == *" python3="* ]] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        missing+=(python3-venv)
    fi
    ((${#missing[@]})) || return 0
    if [[ $EUID -ne 0 ]] || ! type -P apt-get >/dev/null; then
        fail "missing: install the packages ${missing[*]}, then run this again"
    fi
    echo "real-parts: installing the packages ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get update -qq
    quietly apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# Succeeds when the part is there in this version; else empties its folder for a fresh start.
present() {
    [[ -f $parts/$1/version && $(<"$parts/$1/version") == "$2" ]] && return
    rm -rf "${parts:?}/$1"
    mkdir -p "$parts/$1"
    return 1
}

install_system() {
    need shellcheck=shellcheck readelf=binutils python3=python3 node=nodejs ruby=ruby java=default-jdk-headless
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
    present python "$awslambdaric" && return
    need python3=python3
    echo "real-parts: installing Python's runtime client"
    quietly python3 -m venv "$parts/python"
    quietly "$parts/python/bin/pip" install "awslambdaric==$awslambdaric"
    echo "$awslambdaric" >"$parts/python/version"
}

install_node() {
    local headers
    present node "$aws_lambda_ric" && return
    need node=nodejs npm=npm make=make g++=g++ cmake=cmake autoreconf=autoconf automake=automake libtoolize=libtool
    echo "real-parts: building Node's runtime client (about a minute)"
    # The headers of the installed node are as good as those that node-gyp would download.
    headers=$(dirname "$(dirname "$(readlink -f "$(type -P node)")")")
    if [[ -f $headers/include/node/node.h ]]; then
        export npm_config_nodedir=$headers
    fi
    MAKEFLAGS=-j$(nproc) quietly npm install --prefix "$parts/node" --no-audit --no-fund "aws-lambda-ric@$aws_lambda_ric"
    echo "$aws_lambda_ric" >"$parts/node/version"
}

mkdir -p "$parts"
(($#)) || set -- system emulator python node
for part in "$@"; do
    case $part in
        system | emulator | python | node) "install_$part" ;;
        *) fail "no such part: $part (there are system, emulator, python, node)" ;;
    esac
done
