# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # shared with `servers`, which sources this
# Redis: a fast path, and the count of flash products, which is made anew from the book; so nothing is written to disk.

redis_port=$((port_base + 379))
redis_pid() { cat "$data/redis/pid" 2>/dev/null || true; }
redis_mark="127.0.0.1:$redis_port"
stop_redis() { end redis TERM 10; }
kill_redis() { end redis KILL 10; }

redis_answers() {
    [[ "$(REDISCLI_AUTH="$(password_of redis)" timeout 2 redis-cli -h 127.0.0.1 -p "$redis_port" ping 2>/dev/null)" == PONG ]]
}

start_redis() {
    command -v redis-server >/dev/null || die "Redis is not installed: run scripts/install"
    require_free redis "$redis_port"
    as mkdir -p "$data/redis"
    write "$data/redis/redis.conf" <<CONF
bind 127.0.0.1
port $redis_port
$(redis_users redis_password_of)
save ""
appendonly no
maxmemory 256mb
maxmemory-policy volatile-lru
dir "$data/redis"
CONF
    launch redis redis-server "$data/redis/redis.conf"
    printf '%s\n' "$launched" | write "$data/redis/pid"
    wait_until 20 redis_answers || failed_start redis 20
}
