import Logging
import SettlePostgres
import Synchronization

/// What has come to the enrolled tables since they were enrolled and would make an undo wrong: see `docs/at.md`.
///
/// Looked for after the migrations, at this process's start. What is altered later under its feet stops the undo itself.
final class ATObstacles: Sendable {
    private enum State {
        case unknown
        case some(until: ContinuousClock.Instant)
        case none
    }

    private let database: PostgresDatabase
    private let logger: Logger
    private let state = Mutex(State.unknown)
    /// A service that is refused work must not make its database look through the catalog for each request.
    private static let pause = Duration.seconds(5)

    init(database: PostgresDatabase, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// Whether there are none.
    func areNone() async throws -> Bool {
        switch state.withLock({ $0 }) {
        case .none: return true
        case .some(let until) where ContinuousClock.now < until: return false
        case .some, .unknown: break
        }
        let obstacles = try await database.query(#"SELECT "table", obstacle FROM settle.at_obstacles()"#).map {
            (table: try $0.decode(String.self, at: 0), reason: try $0.decode(String.self, at: 1))
        }
        for obstacle in obstacles {
            logger.error(
                "mode 'at' is refused: it could not undo what is done to a table; the other modes work",
                metadata: ["table": "\(obstacle.table)", "obstacle": "\(obstacle.reason)"])
        }
        state.withLock { $0 = obstacles.isEmpty ? .none : .some(until: .now + Self.pause) }
        return obstacles.isEmpty
    }
}
