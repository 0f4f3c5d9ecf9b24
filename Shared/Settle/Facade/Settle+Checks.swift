import SettlePostgres
import SettleRabbitMQ
import SettleRedis

extension Settle.Check {
    static func postgres(_ database: PostgresDatabase, _ migration: StartupStep) -> Settle.Check {
        Settle.Check(name: "postgres", isRequired: true) { database.isUp && migration.isDone }
    }

    static func redis(_ redis: RedisClient) -> Settle.Check {
        Settle.Check(name: "redis", isRequired: false) { redis.isUp }
    }

    static func broker(_ publisher: RabbitMQPublisher, _ consumer: RabbitMQConsumer?) -> Settle.Check {
        Settle.Check(name: "rabbitmq", isRequired: true) { publisher.isUp && consumer?.isUp ?? true }
    }

    /// Says when mode `xa` cannot work; the other modes do.
    static func preparedTransactions(_ participant: Participant) -> Settle.Check {
        Settle.Check(name: "xa", isRequired: false) {
            // Away or unable is the same to readiness; the postgres check tells them apart.
            (try? await participant.isXASupported()) ?? false
        }
    }
}
