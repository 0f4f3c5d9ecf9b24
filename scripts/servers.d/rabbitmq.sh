# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # shared with `servers`, which sources this
# RabbitMQ: own node, own cookie, own epmd, so that no other Erlang on the machine meets it.

amqp_port=$((port_base + 672))
epmd_port=$((port_base + 673))
erlang_port=$((port_base + 674))
rabbitmq_pid() { cat "$data/rabbitmq/pid" 2>/dev/null || true; }
rabbitmq_mark="-home $data/rabbitmq"
epmd_pid() { cat "$data/epmd/pid" 2>/dev/null || true; }
epmd_mark="epmd -port $epmd_port"
stop_rabbitmq() { end rabbitmq TERM 60 && end epmd TERM 5; }
kill_rabbitmq() { end rabbitmq KILL 10 && end epmd KILL 5; }

rabbitmq_bin=/usr/lib/rabbitmq/bin
# Two schedulers, not bound to cores and not spinning: it shares the machine with the other servers.
rabbitmq_env=(env
    "HOME=$data/rabbitmq" ERL_CRASH_DUMP=/dev/null "ERL_EPMD_PORT=$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1
    "RABBITMQ_NODENAME=settle-$amqp_port@localhost" RABBITMQ_USE_LONGNAME=false "RABBITMQ_DIST_PORT=$erlang_port"
    "RABBITMQ_CTL_DIST_PORT_MIN=$((erlang_port + 1))" "RABBITMQ_CTL_DIST_PORT_MAX=$((erlang_port + 10))"
    RABBITMQ_CONF_ENV_FILE=/dev/null
    "RABBITMQ_CONFIG_FILE=$data/rabbitmq/rabbitmq.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$data/rabbitmq/advanced.config"
    "RABBITMQ_ENABLED_PLUGINS_FILE=$data/rabbitmq/enabled_plugins"
    "RABBITMQ_MNESIA_BASE=$data/rabbitmq/mnesia" "RABBITMQ_LOG_BASE=$data/rabbitmq"
    "RABBITMQ_LOGS=$data/rabbitmq/log" "RABBITMQ_PID_FILE=$data/rabbitmq/pid" RABBITMQ_SCHEDULER_BIND_TYPE=u
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}"
    "RABBITMQ_CTL_ERL_ARGS=+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}")

# The listener opens last: a broker that answers the protocol header with a frame is ready.
rabbitmq_answers() {
    running rabbitmq || return 1
    timeout 2 bash -c "exec 3<>/dev/tcp/127.0.0.1/$amqp_port && printf 'AMQP\0\0\11\1' >&3 && head -c 1 <&3" \
        2>/dev/null | grep -q $'\x01'
}
# Its script may have ended without a node.
rabbitmq_settled() { rabbitmq_answers || gone "$1"; }

start_rabbitmq() {
    [[ -x "$rabbitmq_bin/rabbitmq-server" ]] || die "RabbitMQ is not installed: run scripts/install"
    require_free rabbitmq "$amqp_port"
    require_free rabbitmq "$erlang_port"
    as mkdir -p "$data/rabbitmq" "$data/epmd"
    if ! running epmd; then
        require_free epmd "$epmd_port"
        launch epmd epmd -port "$epmd_port" -address 127.0.0.1 -relaxed_command_check
        printf '%s\n' "$launched" | write "$data/epmd/pid"
        wait_until 10 port_open "$epmd_port" || failed_start epmd 10
    fi
    as rm -f "$data/rabbitmq/pid"
    printf '[].\n' | write "$data/rabbitmq/enabled_plugins"
    write "$data/rabbitmq/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$amqp_port
load_definitions = $data/rabbitmq/definitions.json
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 100MB
log.console = false
CONF
    broker_definitions broker_password_of | write "$data/rabbitmq/definitions.json"
    launch rabbitmq "${rabbitmq_env[@]}" "$rabbitmq_bin/rabbitmq-server"
    rabbitmq_starter="$launched"
    # Its pid file comes late. If something else fails meanwhile, leave only when a later stop can find it.
    trap 'wait_until 120 rabbitmq_settled "$rabbitmq_starter" || true' EXIT
}

await_rabbitmq() {
    wait_until 120 rabbitmq_settled "$rabbitmq_starter" || true
    trap - EXIT
    rabbitmq_answers || failed_start rabbitmq 120
}
