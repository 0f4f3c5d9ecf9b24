# shellcheck shell=bash
# shellcheck disable=SC2154  # work is set by `e2e`
# Sourced by `e2e` and `compose-check`: requests by curl, and checks that count.
#
# work    a folder of our own; work/body and work/headers hold the last answer

passed=0
failed=0
# Seconds for everything: a suite that has stopped answering must not hold us for hours.
time_limit=540

# ok DESCRIPTION / bad DESCRIPTION SEEN
ok() {
    passed=$((passed + 1))
    printf 'ok   %s\n' "$1"
}
bad() {
    failed=$((failed + 1))
    printf 'FAIL %s: %s\n' "$1" "$(head -c 600 <<<"$2")"
    if ((SECONDS > time_limit)); then
        printf 'giving up after %s s\n' "$SECONDS"
        finish
    fi
}

section() { printf '\n%s\n' "$1"; }

finish() {
    printf '\n%s passed, %s failed\n' "$passed" "$failed"
    ((failed == 0))
    exit
}

# is DESCRIPTION EXPECTED SEEN; like takes a pattern.
is() { if [[ "$3" == "$2" ]]; then ok "$1"; else bad "$1" "expected $2, saw $3"; fi; }
# shellcheck disable=SC2053  # a pattern
like() { if [[ "$3" == $2 ]]; then ok "$1"; else bad "$1" "expected $2, saw $3"; fi; }

# call METHOD URL [curl options…]: sets `code` and `type`; the body is in $work/body.
call() {
    local method="$1" url="$2" seen
    shift 2
    : >"$work/body"
    : >"$work/headers"
    # A server that refuses a body may close before curl has sent all of it: the answer counts, not curl's exit code.
    seen="$(curl -sS --max-time 20 -X "$method" -o "$work/body" -D "$work/headers" -w '%{http_code} %{content_type}' \
        "$@" "$url" 2>"$work/curl-error" || true)"
    code="${seen%% *}"
    type="${seen#* }"
}

# send METHOD URL BODY [curl options…]: with a JSON body, which may be @FILE.
send() {
    local method="$1" url="$2" body="$3"
    shift 3
    call "$method" "$url" -H 'Content-Type: application/json' -H 'Expect:' --data-binary "$body" "$@"
}

# use_token TOKEN: what internal callers carry from here on. In a file, since every account can read a command line.
use_token() { (umask 077 && printf 'Authorization: Bearer %s\n' "$1" >"$work/authorization"); }
# The same as an internal caller.
send_internal() { send "$@" -H "@$work/authorization"; }
call_internal() { call "$@" -H "@$work/authorization"; }

seen() { printf '%s %s %s' "$code" "$(head -c 500 "$work/body")" "$(cat "$work/curl-error" 2>/dev/null || true)"; }
field() { jq -r "$@" "$work/body" 2>/dev/null || true; }
header() { grep -i "^$1:" "$work/headers" | tail -n 1 | cut -d : -f 2- | tr -d '\r' | sed 's/^ *//' || true; }

# answered DESCRIPTION CODE [JQ ARGUMENTS…]: the last answer has this status, and the filter holds for its body.
answered() {
    local description="$1" expected="$2"
    shift 2
    if [[ "$code" == "$expected" ]] && { (($# == 0)) || jq -e "$@" "$work/body" >/dev/null 2>&1; }; then
        ok "$description"
    else
        bad "$description" "saw $(seen); expected $expected${1:+ with $(tr -s ' \n' ' ' <<<"${*: -1}")}"
    fi
}

# refused DESCRIPTION CODES [JQ ARGUMENTS…]: the last answer is a problem document whose status is its own; CODES may
# be several, as 404|422.
refused() {
    local description="$1" codes="|$2|"
    shift 2
    (($# > 0)) || set -- true
    if [[ "$codes" == *"|$code|"* && "$type" == application/problem+json* ]] &&
        jq -e --argjson status "$code" '.status == $status and (.title | type == "string" and length > 0)
            and (.type | type == "string") and (.detail == null or (.detail | type == "string"))' \
            "$work/body" >/dev/null 2>&1 &&
        jq -e "$@" "$work/body" >/dev/null 2>&1; then
        ok "$description → $code"
    else
        bad "$description" "saw $type $(seen); expected${codes//|/ }as application/problem+json with ${*: -1}"
    fi
}

# refuses DESCRIPTION CODES METHOD URL [BODY [curl options…]]: that request is, as an internal caller after `as=internal`.
refuses() {
    local description="$1" codes="$2" request=call
    shift 2
    (($# == 2)) || request=send
    "$request${as:+_$as}" "$@"
    refused "$description" "$codes"
}

# eventually DESCRIPTION EXPECTED COMMAND…: until the command prints what is expected, at most 30 s.
eventually() {
    local description="$1" expected="$2" deadline=$((SECONDS + 30)) now=""
    shift 2
    while :; do
        now="$("$@" || true)"
        [[ "$now" != "$expected" ]] || break
        if ((SECONDS >= deadline || SECONDS > time_limit)); then
            bad "$description" "expected $expected, still $now after 30 s"
            return
        fi
        sleep 0.05
    done
    ok "$description"
}
