#!/usr/bin/env bash
# Measures what a start with one secret costs, beside hooks that get the same parameter with boto3 and with the AWS CLI, all from
# moto over TLS on this machine: bench-secrets.sh [ROUNDS].
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "bench-secrets: $*" >&2
    exit 1
}

rounds=${1:-20}
[[ $# -le 1 && $rounds =~ ^[1-9][0-9]*$ ]] || fail "usage: scripts/bench-secrets.sh [ROUNDS]"
case $(uname -m) in
x86_64) architecture=x86_64 target=x86_64-unknown-linux-musl ;;
aarch64) architecture=arm64 target=aarch64-unknown-linux-musl ;;
*) fail "Lambda has no architecture $(uname -m)" ;;
esac
type -P musl-gcc >/dev/null || fail "install musl-tools, then run this again"
[[ -x target/real-parts/moto/bin/python ]] || fail "moto is missing: run scripts/real-parts.sh moto"
scripts/build-layer.sh --arch "$architecture"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet install awscli boto3
cp "${CARGO_TARGET_DIR:-target}/$target/release"/foreword{,-secrets} "$work"
compile=(musl-gcc -O2 -static -s -Wall -Wextra)
"${compile[@]}" -o "$work/bench" scripts/bench.c
"${compile[@]}" -x c -o "$work/python3.12" - <<<'int main(void) { return 0; }'
cat >"$work/expects" <<'SHELL'
#!/bin/sh
[ "$DB" = MARKER-1 ]
SHELL
cat >"$work/get.py" <<'PYTHON'
import boto3, json

parameter = boto3.client("ssm").get_parameter(Name="/many/p1", WithDecryption=True)
print(json.dumps({"DB": parameter["Parameter"]["Value"]}))
PYTHON
cat >"$work/get.sh" <<SHELL
#!/bin/sh
value=\$($work/venv/bin/aws ssm get-parameter --name /many/p1 --with-decryption --query Parameter.Value --output text) || exit
printf '{"DB": "%s"}' "\$value"
SHELL
chmod +x "$work/expects" "$work/get.sh"

# The server prints what it serves, and ends with its standard input.
coproc SERVER { exec target/real-parts/moto/bin/python secrets/tests/integration/server.py; }
read -r served <&"${SERVER[0]}"
fact() { python3 -c 'import json, sys
node = json.loads(sys.argv[1])
for key in sys.argv[2].split("/"): node = node[int(key) if key.isdigit() else key]
print(node)' "$served" "$1"; }
environment=(
    PATH=/usr/local/bin:/usr/bin:/bin
    HOME="$work"
    AWS_REGION=us-east-1
    AWS_DEFAULT_REGION=us-east-1
    AWS_ACCESS_KEY_ID="$(fact keys/all/0)"
    AWS_SECRET_ACCESS_KEY="$(fact keys/all/1)"
    AWS_ENDPOINT_URL="https://localhost:$(fact ports/plain)"
    AWS_CA_BUNDLE="$(fact folder)/ca.pem"
    FOREWORD_DROPIN_DIR=/nonexistent
    FOREWORD_LOG=warn
)
hook() { printf 'FOREWORD_CONFIG={"hooks": {"initialize": [{"name": "get", "export": "json", "timeout_ms": 60000, "command": [%s]}]}}' "$1"; }
names=("without foreword" "foreword, no configuration" "foreword, one secret" "a hook with boto3" "a hook with the AWS CLI")
configurations=(
    "FOREWORD_CONFIG="
    'FOREWORD_CONFIG={"secrets": {"DB": "ssm:/many/p1"}, "secrets_timeout_ms": 60000}'
    "$(hook "\"$work/venv/bin/python\", \"$work/get.py\"")"
    "$(hook "\"$work/get.sh\"")"
)
commands=("$work/python3.12")
for configuration in "${configurations[@]}"; do
    if [[ $configuration != FOREWORD_CONFIG= ]]; then
        env -i "${environment[@]}" "$configuration" "$work/foreword" "$work/expects" || fail "$configuration does not get the value"
    fi
    commands+=(-- "$configuration" "$work/foreword" "$work/python3.12")
done
echo "Medians of $rounds rounds (microseconds in all, more than without foreword, page faults more):"
paste <(printf '%s\n' "${names[@]}") <(env -i "${environment[@]}" "$work/bench" time "$rounds" "${commands[@]}")
# shellcheck disable=SC1083 # bash's own way to close it
exec {SERVER[1]}>&-
