#!/usr/bin/env bash
# Builds the layer for this machine's architecture: target/layer/foreword-ARCHITECTURE.zip with bin/foreword in it,
# static, without a path of this machine, and of the same bytes whenever and wherever the same source is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case $(uname -m) in
x86_64) architecture=x86_64 target=x86_64-unknown-linux-gnu ;;
aarch64) architecture=arm64 target=aarch64-unknown-linux-gnu ;;
*)
    echo "build-layer: Lambda has no architecture $(uname -m)" >&2
    exit 1
    ;;
esac
target_folder=${CARGO_TARGET_DIR:-target}
binary=$target_folder/$target/release/foreword
layer=$target_folder/layer/foreword-$architecture.zip

flags=(
    -C target-feature=+crt-static
    --remap-path-prefix="$PWD=/foreword"
    --remap-path-prefix="${CARGO_HOME:-$HOME/.cargo}=/cargo"
)
# Unlike RUSTFLAGS, this form lets a path hold a space.
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS
cargo build --locked --release --target "$target"

if readelf --wide --program-headers --dynamic "$binary" | grep -E 'INTERP|NEEDED' >&2; then
    echo "build-layer: $binary is not static" >&2
    exit 1
fi
for path in "$PWD" "${CARGO_HOME:-$HOME/.cargo}"; do
    if grep --quiet --text --fixed-strings "$path/" "$binary"; then
        echo "build-layer: $binary holds the path $path" >&2
        exit 1
    fi
done

mkdir -p "$(dirname "$layer")"
python3 - "$binary" "$layer" <<'END'
import sys, zipfile

binary, layer = sys.argv[1:]
entry = zipfile.ZipInfo("bin/foreword", date_time=(1980, 1, 1, 0, 0, 0))
entry.create_system = 3  # Unix, so that the mode counts
entry.external_attr = 0o100755 << 16
with zipfile.ZipFile(layer, "w") as archive, open(binary, "rb") as file:
    archive.writestr(entry, file.read(), zipfile.ZIP_DEFLATED, 9)
END
echo "$layer: $(stat --format %s "$layer") bytes, unpacked $(stat --format %s "$binary")"
