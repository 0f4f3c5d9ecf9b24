# shellcheck shell=bash
# shellcheck disable=SC2154  # variables are shared with `suite.sh`
# Sourced by `up`, after suite.sh: a suite that may be broken on demand (docs/break-it.md).

# The ways that the agent can slow down and cut, in the order of their ports.
line_names=(postgres-order postgres-stock postgres-user-points postgres-message-centre rabbitmq redis
    to-order to-stock to-user-points to-message-centre)

# line_port NAME: where the services find the beginning of that way; server_port KIND is where it ends.
line_port() {
    local index
    for index in "${!line_names[@]}"; do
        [[ "${line_names[$index]}" != "$1" ]] || printf '%s' $(($(server_port postgres) - 432 + 901 + index))
    done
}
server_port() {
    local url
    case "$1" in
        postgres*) url="${POSTGRES_URL%/*}" ;;
        rabbitmq) url="$AMQP_URL" ;;
        redis) url="${REDIS_URL%/*}" ;;
        to-*) url="$(service_url "${1#to-}")" ;;
    esac
    printf '%s' "${url##*:}"
}

# agree_on_faults: a suite that runs goes on as it is, with faults or without.
agree_on_faults() {
    local name
    if service_running fault-agent; then
        faults=yes
    elif [[ "$faults" == yes ]]; then
        for name in "${services[@]}"; do
            ! service_running "$name" || die "$name runs without faults: scripts/down first"
        done
    fi
}

# start_agent FOLDER: starts the one that breaks things, and has the services reach their servers through it.
start_agent() {
    local name part variable old
    fault_lines=""
    for name in "${line_names[@]}"; do
        fault_lines+="${fault_lines:+,}$name=$(line_port "$name"):127.0.0.1:$(server_port "$name")"
    done
    local -A owner=([ORDER]=order [STOCK]=stock [POINTS]=user-points [MESSAGES]=message-centre)
    local -A new=()
    for part in "${!owner[@]}"; do
        for variable in "${part}_DATABASE_URL" "${part}_AMQP_URL" "${part}_REDIS_URL"; do
            case "$variable" in
                *_DATABASE_URL) name="postgres-${owner[$part]}" ;;
                *_AMQP_URL) name=rabbitmq ;;
                *) name=redis ;;
            esac
            old="127.0.0.1:$(server_port "$name")"
            new[$variable]="${!variable:-}"
            new[$variable]="${new[$variable]/@$old/@127.0.0.1:$(line_port "$name")}"
        done
    done
    for variable in "${!new[@]}"; do export "$variable=${new[$variable]}"; done
    if service_running fault-agent; then
        say "fault-agent: running already"
    else
        start_service fault-agent "$1"
    fi
    await_service fault-agent
}
