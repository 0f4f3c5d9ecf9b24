# shellcheck shell=bash
# shellcheck disable=SC2154  # of broker.sh
# Sourced by `servers` and by docker/secrets, after broker.sh: the users of Redis, and what each of them may do.
#
# A service reads and writes the marks of the tasks that it receives, and `settle:probe`, by which it finds out whether
# Redis takes writes; stock counts flash products there, by scripts over keys of their own. Nothing else. `default` may do everything: it is for people and for tests.

# redis_users PASSWORD: the lines for redis.conf. PASSWORD is a command that prints the password of a user.
redis_users() {
    local service type keys commands
    printf 'requirepass %s\n' "$("$1" default)"
    for service in "${broker_services[@]}"; do
        [[ "$service" != message-centre ]] || continue
        keys='~settle:probe'
        for type in $(broker_tasks "$service" | tr '|' ' '); do keys+=" ~settle:cg_buying_$type:*"; done
        for type in $(broker_messages "$service" | tr '|' ' '); do keys+=" ~settle:cg_buying_centre_$type:*"; done
        commands='+ping +select +get +set'
        if [[ "$service" == stock ]]; then
            keys+=' ~flash:*'
            commands+=' +info +eval +evalsha +hget +hset +hdel +hexists +hincrby +hkeys +incr +exists +del'
        fi
        printf 'user %s on >%s %s -@all %s\n' "$service" "$("$1" "$service")" "$keys" "$commands"
    done
}
