#!/bin/sh
# A custom runtime for an OS-only runtime; ../README.md describes what all of these functions do. It knows nothing of
# SnapStart, and each of its requests has a connection of its own.
set -eu

api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'kill "$curl" 2>/dev/null || :; exit 143' TERM
curl=
invocations=0

# Runs curl in the background and waits, because a signal interrupts wait but not a command.
request() {
    curl -sS --fail --noproxy '*' "$@" &
    curl=$!
    wait "$curl"
}

while :; do
    request -D "$directory/head" -o "$directory/event" "$api/next"
    id=$(tr -d '\r' <"$directory/head" | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p')
    invocations=$((invocations + 1))
    echo "invoke $invocations" >>"$CLIENT_LOG"

    # Only the beginning is searched for a key; long events are sent back.
    case $(head -c 1000 "$directory/event" | tr -d ' ') in
        *'"big":true'*)
            { printf '"' && head -c 6291454 /dev/zero | tr '\0' x && printf '"'; } >"$directory/response"
            set -- --data-binary "@$directory/response"
            ;;
        *'"stream":true'*)
            printf 'part 1\npart 2\npart 3\n' >"$directory/response"
            set -- -H 'Lambda-Runtime-Function-Response-Mode: streaming' -H 'Transfer-Encoding: chunked' \
                --data-binary "@$directory/response"
            ;;
        *) set -- --data-binary "@$directory/event" ;;
    esac
    request -o /dev/null -H 'Content-Type: application/json' "$@" "$api/$id/response"
done
