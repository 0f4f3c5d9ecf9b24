#include "CSettleRabbitMQ.h"

static amqp_table_entry_t flag(const char *name) {
    amqp_table_entry_t entry;
    entry.key = amqp_cstring_bytes(name);
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
}

amqp_rpc_reply_t settle_amqp_login(amqp_connection_state_t state, const char *vhost, int frame_max,
                                   int heartbeat_seconds, const char *connection_name, const char *user,
                                   const char *password) {
    // The library merges these into its own tables and copies all of it, so they may live on the stack.
    amqp_table_entry_t capabilities[] = {
        flag("publisher_confirms"), flag("basic.nack"), flag("connection.blocked"), flag("consumer_cancel_notify"),
        flag("authentication_failure_close"),
    };
    amqp_table_entry_t properties[2];
    properties[0].key = amqp_cstring_bytes("capabilities");
    properties[0].value.kind = AMQP_FIELD_KIND_TABLE;
    properties[0].value.value.table.num_entries = sizeof(capabilities) / sizeof(capabilities[0]);
    properties[0].value.value.table.entries = capabilities;
    properties[1].key = amqp_cstring_bytes("connection_name");
    properties[1].value.kind = AMQP_FIELD_KIND_UTF8;
    properties[1].value.value.bytes = amqp_cstring_bytes(connection_name);
    amqp_table_t table = {.num_entries = 2, .entries = properties};
    return amqp_login_with_properties(state, vhost, AMQP_DEFAULT_MAX_CHANNELS, frame_max, heartbeat_seconds, &table,
                                      AMQP_SASL_METHOD_PLAIN, user, password);
}
