#pragma once

// From 0.12 on librabbitmq keeps its headers in a folder of their own.
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

/// What `amqp_login_with_properties` does, for a caller that cannot call variadic functions: SASL PLAIN, and the
/// capabilities that make the broker send connection.blocked and its own basic.cancel, which the library leaves out.
amqp_rpc_reply_t settle_amqp_login(amqp_connection_state_t state, const char *vhost, int frame_max,
                                   int heartbeat_seconds, const char *connection_name, const char *user,
                                   const char *password);
