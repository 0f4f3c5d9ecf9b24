# shellcheck shell=bash
# Sourced by `up`, `down`, `test` and `bench`, after broker.sh: the services, of one build and in one run folder.

services=(user-points stock message-centre order)
# Whether what is started may be broken on demand: see start_agent.
faults=no

# The whole program optimised across its modules, and the runtime linked in: a quarter more orders a second on the same machine
# (docs/performance.md).
release=(-c release --static-swift-stdlib -Xswiftc -cross-module-optimization)

# build_products release|debug NAME…: builds these, and sets `bin`, the folder that they are in.
build_products() {
    local options=(-c "$1") name
    [[ "$1" != release ]] || options=("${release[@]}")
    shift
    for name; do (cd "$ROOT" && swift build "${options[@]}" --product "$name" >&2); done
    bin="$(cd "$ROOT" && swift build "${options[@]}" --show-bin-path)"
}

# use_suite FOLDER [ORDER STOCK POINTS CENTRE AGENT]: the run folder (token, log/NAME.log, pid/NAME, servers/) and the ports.
use_suite() {
    run="$1"
    order_port="${2:-8080}"
    stock_port="${3:-8081}"
    points_port="${4:-8082}"
    centre_port="${5:-8083}"
    agent_port="${6:-8084}"
}

service_port() {
    case "$1" in
        order) printf '%s' "$order_port" ;;
        stock) printf '%s' "$stock_port" ;;
        user-points) printf '%s' "$points_port" ;;
        message-centre) printf '%s' "$centre_port" ;;
        fault-agent) printf '%s' "$agent_port" ;;
    esac
}

service_url() { printf 'http://127.0.0.1:%s' "$(service_port "$1")"; }
# peer_url NAME: where the other services reach it.
peer_url() {
    if [[ "$faults" == yes ]]; then printf 'http://127.0.0.1:%s' "$(line_port "to-$1")"; else service_url "$1"; fi
}

# The pid file holds the process id and, as its mark, the executable's path.
service_pid() { cut -d ' ' -f 1 "$run/pid/$1" 2>/dev/null || true; }
service_mark() { cut -d ' ' -f 2- "$run/pid/$1" 2>/dev/null || true; }
service_running() { alive "$(service_pid "$1")" "$(service_mark "$1")"; }

# One token for each run folder, made once.
suite_token() {
    [[ -s "$run/token" ]] ||
        (umask 077 && head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$run/token")
    cat "$run/token"
}

# without_rights EXECUTABLE: sets `without_rights`, a command that runs it with no rights on this machine. Root gives up
# its name where nobody can reach the executable, and its capabilities where nobody cannot.
without_rights() {
    without_rights=()
    ((EUID == 0)) || return 0
    without_rights=(setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all --no-new-privs --)
    ! "${without_rights[@]}" "$1" --help >/dev/null 2>&1 || return 0
    say "${1##*/}: runs as root without capabilities; the account nobody cannot reach $1"
    without_rights=(setpriv --inh-caps=-all --bounding-set=-all --no-new-privs --)
}

# start_service NAME FOLDER: the executable of that name in the folder, with what it needs in its environment only.
start_service() {
    local name="$1" executable="$2/$1" part database broker redis
    part="${name#user-}" part="${part^^}" part="${part//-/_}"
    [[ "$name" != message-centre ]] || part=MESSAGES
    local url=peer_url keep=()
    if [[ "$faults" == yes ]]; then keep=("$ROOT/scripts/lib/keep" "$run/pid/$name"); fi
    # The agent needs no server, and calls the services themselves.
    if [[ "$name" == fault-agent ]]; then url=service_url keep=(); fi
    database="${part}_DATABASE_URL" broker="${part}_AMQP_URL" redis="${part}_REDIS_URL"
    ! port_open "$(service_port "$name")" ||
        die "port $(service_port "$name") for $name is taken by another program; see scripts/up --help for other ports"
    mkdir -p "$run/log" "$run/pid"
    [[ ! -e "$run/log/$name.log" ]] || mv -f "$run/log/$name.log" "$run/log/$name.log.old"
    (umask 027 && : >"$run/log/$name.log")
    without_rights "$executable"
    # In its own session, so that Ctrl-C here does not reach it, with none of our descriptors, and without the passwords
    # of the others.
    (
        export HTTP_PORT DATABASE_URL="${!database:-}" AMQP_URL="${!broker:-}" REDIS_URL="${!redis:-}" ORDER_URL STOCK_URL \
            POINTS_URL CENTRE_URL SETTLE_TOKEN MESSAGE_KEYS
        if [[ "$faults" == yes ]]; then
            export FAULT_SWITCHES=on FAULT_AGENT_URL FAULT_LINES
            FAULT_AGENT_URL="$(service_url fault-agent)" FAULT_LINES="${fault_lines:-}"
        else
            unset FAULT_SWITCHES
        fi
        HTTP_PORT="$(service_port "$name")" SETTLE_TOKEN="$(suite_token)" MESSAGE_KEYS="$(message_keys_of "$name")"
        ORDER_URL="$("$url" order)" STOCK_URL="$("$url" stock)" POINTS_URL="$("$url" user-points)"
        CENTRE_URL="$("$url" message-centre)"
        unset POSTGRES_URL {ORDER,STOCK,POINTS,MESSAGES}_{DATABASE,AMQP,REDIS}_URL
        if ((${#keep[@]} > 0)); then
            exec setsid "${keep[@]}" "$executable" "${without_rights[@]}" </dev/null >>"$run/log/$name.log" 2>&1
        fi
        exec setsid "${without_rights[@]}" "$executable" </dev/null >>"$run/log/$name.log" 2>&1
    ) &
    if ((${#keep[@]} > 0)); then
        printf '%s %s\n' "$!" "${keep[*]}" >"$run/pid/$name.keeper"
    else
        printf '%s %s\n' "$!" "$executable" >"$run/pid/$name"
    fi
    # Until the new process has become the executable it cannot be told from one that has ended.
    wait_until 5 service_launched "$name" "$!" || true
}
service_launched() { service_running "$1" || gone "$2"; }

# status_of_url URL [curl options…]: 000 while nobody answers. As an operator: the header comes from a descriptor, since a
# command line can be read by every account.
status_of_url() {
    curl -s -m 10 -o /dev/null -w '%{http_code}' -H @<(printf 'Authorization: Bearer %s' "$(suite_token)") "$@" || true
}
service_ready() { service_running "$1" && [[ "$(status_of_url "$(service_url "$1")/health/ready")" == 200 ]]; }
service_ready_or_dead() { service_ready "$1" || ! service_running "$1"; }

await_service() {
    wait_until 60 service_ready_or_dead "$1" || true
    service_ready "$1" && return
    show_log "$1" "$run/log/$1.log"
    die "$1 is not ready: $(curl -s -m 2 "$(service_url "$1")/health/ready" || printf 'no answer')"
}

# start_suite FOLDER: starts those of the services that are down, and waits until all are ready.
start_suite() {
    local name
    for name in "${services[@]}"; do
        if service_running "$name" || service_running "$name.keeper"; then
            say "$name: running already"
            [[ "$(readlink "/proc/$(service_pid "$name")/exe")" != *deleted* ]] ||
                say "$name: runs an older build; scripts/down and scripts/up start the new one"
        else
            start_service "$name" "$1"
        fi
    done
    for name in "${services[@]}"; do await_service "$name"; done
}

stop_suite() {
    local name
    # The one that takes orders first; last the one through whose lines the others reach their servers.
    for name in order message-centre stock user-points fault-agent; do
        end_process "$(service_pid "$name.keeper")" "$(service_mark "$name.keeper")" TERM 5
        rm -f "$run/pid/$name.keeper"
        service_running "$name" || continue
        end_process "$(service_pid "$name")" "$(service_mark "$name")" TERM 15
        rm -f "$run/pid/$name"
        say "$name: stopped"
    done
}

# customers_apart: whether the suite tells customers apart (SETTLE_CUSTOMERS=on when it was started).
customers_apart() {
    [[ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' "$(service_url order)/orders?userName=alice&limit=1" || true)" == 401 ]]
}

# seed_suite: creates what does not exist yet. As an operator: where customers are told apart, nobody else may look.
seed_suite() {
    local service path body status
    while read -r service path body; do
        [[ "$(status_of_url "$(service_url "$service")/$path")" != 200 ]] || continue
        status="$(status_of_url -X PUT "$(service_url "$service")/$path" -H 'Content-Type: application/json' -d "$body")"
        [[ "$status" == 201 || "$status" == 200 ]] || die "could not create $path: status $status"
    done <<'SEED'
user-points users/alice {"points": 1000}
user-points users/bob {"points": 0}
user-points users/carol {"points": 0}
stock products/tea {"title": "Tea", "unitPrice": 120, "available": 1000000}
stock products/cup {"title": "Cup", "unitPrice": 800, "available": 1000000}
stock products/kettle {"title": "Kettle", "unitPrice": 4500, "available": 1000000}
SEED
}
