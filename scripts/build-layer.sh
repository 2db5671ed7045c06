#!/usr/bin/env bash
# Builds the layers for Lambda's two architectures into target/layer: foreword-x86_64.zip and foreword-arm64.zip, each with a
# static bin/foreword, the same with a bootstrap for OS-only runtimes and with an extension, the layers of foreword-secrets,
# and SHA256SUMS. The same source gives the same bytes, whenever and wherever one toolchain builds it. Without arguments it
# also builds the command line tool, which is not in the layers, for this machine, with shell completions and man pages, into
# target/tool.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

binary_budget=655360
zip_budget=320000
# TLS and AWS's SDK, for foreword-secrets.
secrets_binary_budget=4200000
secrets_zip_budget=2000000
# As which the programs that Lambda's runtimes start are known to other wrappers; for a program of another name, foreword
# makes such a link when it is needed, and then has to find a folder that can be written.
stand_ins=(python python3 python3.{8..14} node java ruby dotnet bootstrap)

fail() {
    echo "build-layer: $*" >&2
    exit 1
}

architectures=(x86_64 arm64)
binaries=(foreword foreword-secrets)
with_tool=$(($# == 0))
while (($#)); do
    case "$1 ${2-}" in
    "--arch x86_64" | "--arch arm64") architectures=("$2") ;;
    "--only foreword" | "--only foreword-secrets") binaries=("$2") ;;
    *)
        echo "usage: scripts/build-layer.sh [--arch x86_64|arm64] [--only foreword|foreword-secrets]" >&2
        exit 2
        ;;
    esac
    shift 2
done

target_folder=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
cargo_home=${CARGO_HOME:-$HOME/.cargo}
std_source=$(rustc --print sysroot 2>/dev/null || true)/lib/rustlib/src/rust

# Runs a command whose output matters only when it fails.
quietly() {
    local output
    output=$("$@" 2>&1 </dev/null) || fail "unable to run \"$*\": $output"
}

# Installs the packages that are missing.
need() {
    dpkg-query --show "$@" >/dev/null 2>&1 && return
    if [[ $EUID -ne 0 ]] || ! type -P apt-get >/dev/null; then
        fail "install the packages $*, then run this again"
    fi
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get update
    quietly apt-get install -y --no-install-recommends "$@"
}

# Succeeds when the toolchain has the standard library for a target, or can get it.
has_std() {
    compgen -G "$(rustc --print sysroot)/lib/rustlib/*/bin/rust-lld" >/dev/null || return 1
    compgen -G "$(rustc --print target-libdir --target "$1")/libstd-*.rlib" >/dev/null && return
    type -P rustup >/dev/null && timeout 60 rustup target add "$1" >/dev/null 2>&1
}

# Succeeds when the toolchain has the source of the standard library, or can get it.
has_std_source() {
    [[ -f $std_source/library/Cargo.lock ]] && return
    type -P rustup >/dev/null && timeout 60 rustup component add rust-src >/dev/null 2>&1 &&
        [[ -f $std_source/library/Cargo.lock ]]
}

# Without relro, a start touches a page less: 6 page faults more than without foreword in the place of 7 (bench.sh).
linker_options=(-z norelro -T scripts/layout.ld)
path_flags=(
    --remap-path-prefix="$PWD=/foreword"
    --remap-path-prefix="$target_folder=/target"
    --remap-path-prefix="$cargo_home=/cargo"
    --remap-path-prefix="$std_source=/rustc"
)
common_flags=(
    # Position-independent code would be relocated at every start, page by page: 1.9 times C in the place of 1.3, and 54 KB more
    # (bench.sh, row "foreword").
    -C relocation-model=static
    # Cargo does not look into the layout; a flag named after what is in it makes it link again.
    --cfg "layout_$(sha256sum scripts/layout.ld | cut -c1-16)"
    "${path_flags[@]}"
)

# The flags are unstable ones of cargo's, which a stable toolchain takes when it is told that it builds a part of itself.
std_for_size=(-Z "build-std=std,panic_abort" -Z build-std-features=optimize_for_size)

# Sets the compiler's flags; unlike RUSTFLAGS, this form lets a path hold a space.
encode() {
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "$*")
    export CARGO_ENCODED_RUSTFLAGS
}

# Builds foreword with the toolchain's own musl and linker, and with its standard library built for size, where it has the
# source.
build_foreword() {
    local flags=(--locked --release --no-default-features --target "$1")
    encode "${common_flags[@]}" -C linker=rust-lld -C link-arg=--no-rosegment "${linker_options[@]/#/-Clink-arg=}"
    if has_std_source; then
        echo "build-layer: $1 with $(rustc --version), its standard library built for size"
        RUSTC_BOOTSTRAP=1 cargo build "${flags[@]}" "${std_for_size[@]}"
    else
        echo "build-layer: $1 with $(rustc --version) and its standard library as it is, without the component rust-src:" \
            "the binary has 45360 bytes more, the zip 22306, which a cold start has to read"
        cargo build "${flags[@]}"
    fi
}

# Builds foreword-secrets. ring in it is C and assembly, for which clang needs no toolchain of the target.
build_foreword-secrets() {
    type -P clang >/dev/null || need clang
    encode "${path_flags[@]}" -C relocation-model=static -C linker=rust-lld
    echo "build-layer: foreword-secrets for $1 with $(rustc --version) and $(clang --version | head -n 1)"
    env "CC_${1//-/_}=clang" "AR_${1//-/_}=ar" \
        cargo build --locked --release --package foreword-secrets --target "$1"
}

# Refuses a binary that needs anything at run time, tells where it was built, or is larger than its budget.
examine() {
    local size path needs
    size=$(stat --format %s "$1")
    ((size <= $2)) || fail "$1 has $size bytes, more than $2"
    needs=$(readelf --wide --program-headers --dynamic "$1" 2>&1) || fail "unable to read $1: $needs"
    needs=$(grep -E 'INTERP|NEEDED' <<<"$needs") && fail "$1 is not static: $needs"
    for path in "$PWD" "$target_folder" "$cargo_home" "$std_source"; do
        if grep --quiet --text --fixed-strings "$path/" "$1"; then
            fail "$1 holds the path $path"
        fi
    done
}

# The same, and one that holds what foreword has no use for.
examine_foreword() {
    local part
    examine "$1" "$binary_budget"
    # What no name is looked up without, and a variable that only libunwind reads.
    for part in "a resolver:/etc/resolv.conf" "an unwinder:LIBUNWIND_PRINT_UNWINDING"; do
        if grep --quiet --text --fixed-strings "${part#*:}" "$1"; then
            fail "$1 holds ${part%%:*} (${part#*:})"
        fi
    done
}

examine_foreword-secrets() {
    examine "$1" "$secrets_binary_budget"
}

# Writes a layer: its name, its budget, and the LINK=TARGET pairs that it has besides.
zip_layer() {
    local layer=$target_folder/layer/$1-$architecture.zip size
    python3 - "$binary" "$layer" "${@:3}" <<'PYTHON'
import os, sys, zipfile

binary, layer, *links = sys.argv[1:]

def write(name, mode, content):
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, so that the mode counts
    entry.external_attr = mode << 16
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)

with zipfile.ZipFile(layer, "w") as archive, open(binary, "rb") as file:
    write(f"bin/{os.path.basename(binary)}", 0o100755, file.read())
    for link in links:
        name, _, target = link.partition("=")
        write(name, 0o120777, target or "../foreword")
PYTHON
    size=$(stat --format %s "$layer")
    ((size <= $2)) || fail "$layer has $size bytes, more than $2"
    echo "$layer: $size bytes, unpacked $(stat --format %s "$binary")"
}

pack_foreword() {
    local links=("${stand_ins[@]/#/bin/stand-in/}")
    zip_layer foreword "$zip_budget" "${links[@]}"
    zip_layer foreword-bootstrap "$zip_budget" "${links[@]}" bootstrap=bin/foreword
    zip_layer foreword-prestop "$zip_budget" "${links[@]}" extensions/foreword=../bin/foreword
}

pack_foreword-secrets() {
    zip_layer foreword-secrets "$secrets_zip_budget"
}

# Builds what is for people, and would make the layer's binary larger.
tool() {
    local folder=$target_folder/tool
    echo "build-layer: the tool with $(rustc --version)"
    cargo build --locked --release
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$target_folder/release/foreword" "$folder"
    cargo run --locked --quiet --package foreword-manual -- "$folder"
    echo "$folder: foreword, completions for bash, fish and zsh, man pages"
}

# A test takes only the functions.
[[ ${BASH_SOURCE[0]} == "$0" ]] || return 0

if ((with_tool)); then
    tool
fi
for command in readelf python3; do
    type -P "$command" >/dev/null || need binutils python3
done
mkdir -p "$target_folder/layer"
for architecture in "${architectures[@]}"; do
    target=${architecture/arm64/aarch64}-unknown-linux-musl
    has_std "$target" || fail "add the target $target to the Rust toolchain (rustup target add), then run this again"
    for name in "${binaries[@]}"; do
        binary=$target_folder/$target/release/$name
        "build_$name" "$target"
        "examine_$name" "$binary"
        "pack_$name"
    done
done
cd "$target_folder/layer"
sha256sum foreword-*.zip >SHA256SUMS
