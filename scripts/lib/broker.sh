# shellcheck shell=bash
# Sourced by `servers` and by docker/secrets: the accounts of RabbitMQ, and what each of them may do.
#
# RabbitMQ asks for `configure` to declare (and to delete), for `write` to publish to an exchange and to bind a queue,
# for `read` to consume a queue and to bind to an exchange. A service declares what it sends and receives; it reads only
# what is meant for it.

broker_services=(order stock user-points message-centre)

# broker_tasks SERVICE: the types of task that it receives. A new one is added here.
broker_tasks() {
    case "$1" in
        stock) printf 'deductstock|restock' ;;
        user-points) printf 'addpoint|refundpoint' ;;
    esac
}

# broker_messages SERVICE: the same of the messages that the message centre sends.
broker_messages() {
    case "$1" in
        stock) printf 'deductstock|restock' ;;
        user-points) printf 'addpoint' ;;
    esac
}

# message_keys_of SERVICE: those of MESSAGE_KEYS that it needs: of the tasks that it sends or receives. Nothing when it is
# not set: then messages are not signed.
message_keys_of() {
    local types
    [[ "$1" != message-centre ]] || return 0  # what it sends is signed already
    types="$(broker_tasks "$1")"
    # order sends all types, and says so when one is unknown.
    tr ',' '\n' <<<"${MESSAGE_KEYS:-}" | { grep -E "^(${types:-[^=]*})=" || true; } | paste -s -d , -
}

# broker_permissions SERVICE: what it may configure, write and read, as members of a JSON object.
broker_permissions() {
    local exchanges='ex_buying_addpointurse|ex_buying_dead' declared read
    if [[ "$1" == message-centre ]]; then
        # It publishes wherever producers say, and declares and reads nothing.
        printf '"configure": "^$", "write": ".*", "read": "^$"'
        return
    fi
    if [[ "$1" == order ]]; then
        # It sends every type of task, and reads the answers.
        declared='cg_buying_[a-z]+'
        read='cg_buying_finish[a-z]+'
    else
        declared="cg_buying_(dead|(finish)?($(broker_tasks "$1"))|centre_($(broker_messages "$1")))"
        read="cg_buying_($(broker_tasks "$1")|centre_($(broker_messages "$1")))"
    fi
    printf '"configure": "^(%s|%s)$", "write": "^(%s|%s)$", "read": "^(%s|%s)$"' \
        "$exchanges" "$declared" "$exchanges" "$declared" "$exchanges" "$read"
}

# broker_definitions PASSWORD: what the broker loads at each start. PASSWORD is a command that prints the password of an
# account. `settle` is the administrator, for people and for tests.
broker_definitions() {
    local service
    printf '{"vhosts": [{"name": "/"}],\n "users": ['
    printf '{"name": "settle", "password": "%s", "tags": "administrator"}' "$("$1" settle)"
    for service in "${broker_services[@]}"; do
        printf ',\n  {"name": "%s", "password": "%s", "tags": ""}' "$service" "$("$1" "$service")"
    done
    printf '],\n "permissions": ['
    printf '{"user": "settle", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}'
    for service in "${broker_services[@]}"; do
        printf ',\n  {"user": "%s", "vhost": "/", %s}' "$service" "$(broker_permissions "$service")"
    done
    printf ']}\n'
}
