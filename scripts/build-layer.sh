#!/usr/bin/env bash
# Builds the layers for Lambda's two architectures into target/layer: foreword-x86_64.zip and foreword-arm64.zip, each with a
# static bin/foreword, the same with a bootstrap for OS-only runtimes and with an extension, and SHA256SUMS. The same source
# gives the same bytes, whenever and wherever one toolchain builds it. Without arguments it also builds the command line tool,
# which is not in the layers, for this machine, with shell completions and man pages, into target/tool.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

binary_budget=917504
zip_budget=470000
# As which the programs that Lambda's runtimes start are known to other wrappers; for a program of another name, foreword
# makes such a link when it is needed, and then has to find a folder that can be written.
stand_ins=(python python3 python3.{8..14} node java ruby dotnet bootstrap)
ziglang=0.17.0
cargo_zigbuild=0.24.0

fail() {
    echo "build-layer: $*" >&2
    exit 1
}

case "$*" in
"") architectures=(x86_64 arm64) ;;
"--arch x86_64" | "--arch arm64") architectures=("$2") ;;
*)
    echo "usage: scripts/build-layer.sh [--arch x86_64|arm64]" >&2
    exit 2
    ;;
esac

target_folder=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
cargo_home=${CARGO_HOME:-$HOME/.cargo}
zig=$target_folder/zig

# Runs a command whose output matters only when it fails.
quietly() {
    local output
    output=$("$@" 2>&1 </dev/null) || fail "unable to run \"$*\": $output"
}

# Installs the packages that are missing.
need() {
    dpkg-query --show "$@" >/dev/null 2>&1 && return
    if [[ $EUID -ne 0 ]] || ! type -P apt-get >/dev/null; then
        fail "install the packages $*, or a Rust toolchain of rustup's that has the musl targets; then run this again"
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

# Position-independent code would have to be relocated at every start, page by page. With few segments, and with what
# every start runs side by side, it touches few pages of the file.
linker_options=(-z norelro -T scripts/layout.ld)
common_flags=(
    -C relocation-model=static
    # Cargo does not look into the layout; a flag named after what is in it makes it link again.
    --cfg "layout_$(sha256sum scripts/layout.ld | cut -c1-16)"
    --remap-path-prefix="$PWD=/foreword"
    --remap-path-prefix="$target_folder=/target"
    --remap-path-prefix="$cargo_home=/cargo"
)

# Sets the compiler's flags; unlike RUSTFLAGS, this form lets a path hold a space.
encode() {
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "$*")
    export CARGO_ENCODED_RUSTFLAGS
}

# Builds with the toolchain's own standard library, musl and linker.
build() {
    encode "${common_flags[@]}" -C linker=rust-lld -C link-arg=--no-rosegment "${linker_options[@]/#/-Clink-arg=}"
    echo "build-layer: $1 with $(rustc --version) and its standard library"
    cargo build --locked --release --no-default-features --target "$1"
}

# Builds with Debian's Rust, which has no musl target: the standard library from its source; musl and the linker are zig's.
build_with_zig() {
    need rustc-web cargo-web rust-web-src python3-venv
    if [[ ! -x $zig/bin/cargo-zigbuild ]]; then
        quietly python3 -m venv "$zig"
        quietly "$zig/bin/pip" install "ziglang==$ziglang" "cargo-zigbuild==$cargo_zigbuild"
    fi
    encode "${common_flags[@]}" -C link-self-contained=no -C link-arg="-Wl,$(IFS=, && echo "${linker_options[*]}")"
    echo "build-layer: $1 with Debian's $(/usr/bin/rustc --version), the standard library built for it, and zig $ziglang"
    PATH=$zig/bin:/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo zigbuild --locked --release \
        --no-default-features -Z build-std=std,panic_abort -Z build-std-features= --target "$1"
}

# Refuses a binary that needs anything at run time, tells where it was built, or is too large.
examine() {
    local size path needs
    size=$(stat --format %s "$1")
    ((size <= binary_budget)) || fail "$1 has $size bytes, more than $binary_budget"
    needs=$(readelf --wide --program-headers --dynamic "$1" 2>&1) || fail "unable to read $1: $needs"
    needs=$(grep -E 'INTERP|NEEDED' <<<"$needs") && fail "$1 is not static: $needs"
    for path in "$PWD" "$target_folder" "$cargo_home"; do
        if grep --quiet --text --fixed-strings "$path/" "$1"; then
            fail "$1 holds the path $path"
        fi
    done
}

# Writes a layer: its name, and the LINK=TARGET pairs that it has besides the binary and the stand-ins.
pack() {
    local layer=$target_folder/layer/$1-$architecture.zip size
    shift
    python3 - "$binary" "$layer" "${stand_ins[@]/#/bin/stand-in/}" "$@" <<'PYTHON'
import sys, zipfile

binary, layer, *links = sys.argv[1:]

def write(name, mode, content):
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, so that the mode counts
    entry.external_attr = mode << 16
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)

with zipfile.ZipFile(layer, "w") as archive, open(binary, "rb") as file:
    write("bin/foreword", 0o100755, file.read())
    for link in links:
        name, _, target = link.partition("=")
        write(name, 0o120777, target or "../foreword")
PYTHON
    size=$(stat --format %s "$layer")
    ((size <= zip_budget)) || fail "$layer has $size bytes, more than $zip_budget"
    echo "$layer: $size bytes, unpacked $(stat --format %s "$binary")"
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

if (($# == 0)); then
    tool
fi
for command in readelf python3; do
    type -P "$command" >/dev/null || need binutils python3
done
mkdir -p "$target_folder/layer"
for architecture in "${architectures[@]}"; do
    target=${architecture/arm64/aarch64}-unknown-linux-musl
    binary=$target_folder/$target/release/foreword
    if has_std "$target"; then
        build "$target"
    else
        build_with_zig "$target"
    fi
    examine "$binary"
    pack foreword
    pack foreword-bootstrap bootstrap=bin/foreword
    pack foreword-prestop extensions/foreword=../bin/foreword
done
cd "$target_folder/layer"
sha256sum foreword-*.zip >SHA256SUMS
