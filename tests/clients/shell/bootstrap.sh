#!/bin/sh
# A runtime as people write one for an OS-only runtime; README.md says what all of them do.
# It knows nothing of SnapStart, and each of its requests has a connection of its own.
set -eu

api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'kill "$curl" 2>/dev/null || :; exit 143' TERM
curl=
invocations=0

# Waits for curl in a way that a signal interrupts.
request() {
    curl -sS --fail --noproxy '*' "$@" &
    curl=$!
    wait "$curl"
}

while :; do
    request -D "$folder/head" -o "$folder/event" "$api/next"
    id=$(tr -d '\r' <"$folder/head" | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p')
    invocations=$((invocations + 1))
    echo "invoke $invocations" >>"$CLIENT_LOG"

    # A key is looked for at the beginning: what is long is an event to send back.
    case $(head -c 1000 "$folder/event" | tr -d ' ') in
        *'"big":true'*)
            { printf '"' && head -c 6291454 /dev/zero | tr '\0' x && printf '"'; } >"$folder/answer"
            set -- --data-binary "@$folder/answer"
            ;;
        *'"stream":true'*)
            printf 'part 1\npart 2\npart 3\n' >"$folder/answer"
            set -- -H 'Lambda-Runtime-Function-Response-Mode: streaming' -H 'Transfer-Encoding: chunked' \
                --data-binary "@$folder/answer"
            ;;
        *) set -- --data-binary "@$folder/event" ;;
    esac
    request -o /dev/null -H 'Content-Type: application/json' "$@" "$api/$id/response"
done
