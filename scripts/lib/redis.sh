# shellcheck shell=bash
# shellcheck disable=SC2154  # of broker.sh
# Sourced by `servers` and by docker/secrets, after broker.sh: the users of Redis, and what each of them may do.
#
# A service reads and writes the marks of the tasks that it receives, and `settle:probe`, by which it finds out whether
# Redis takes writes; nothing else. `default` may do everything: it is for people and for tests.

# redis_users PASSWORD: the lines for redis.conf. PASSWORD is a command that prints the password of a user.
redis_users() {
    local service type keys
    printf 'requirepass %s\n' "$("$1" default)"
    for service in "${broker_services[@]}"; do
        [[ "$service" != message-centre ]] || continue
        keys='~settle:probe'
        for type in $(broker_tasks "$service" | tr '|' ' '); do keys+=" ~settle:cg_buying_$type:*"; done
        for type in $(broker_messages "$service" | tr '|' ' '); do keys+=" ~settle:cg_buying_centre_$type:*"; done
        printf 'user %s on >%s %s -@all +ping +select +get +set\n' "$service" "$("$1" "$service")" "$keys"
    done
}
