import Foundation
import Logging
import ServiceLifecycle
import Settle
import SettlePostgres

/// To its own service, later: a booking that nobody has paid for is cancelled.
struct Unpaid: Codable, Sendable {
    let booking: String
}

let cancelUnpaid = TaskType("cancelunpaid", in: "bookings", body: Unpaid.self)

/// What the board at a room's door shows: the latest is right, so none may overtake another.
struct Board: Codable, Sendable {
    let room: String
    let number: Int
}

let showBoard = TaskType("showboard", in: "bookings", body: Board.self)

@main
struct Bookings {
    /// How long a booking waits for its payment.
    static let patience: TimeInterval = 2

    static func main() async throws {
        let environment = ProcessInfo.processInfo.environment
        let settle = try Settle(
            database: environment["DATABASE_URL"] ?? "", broker: environment["AMQP_URL"] ?? "", app: "bookings")
        settle.migrations("bookings", [tables])

        settle.receive(cancelUnpaid, dedupKey: \.booking) { unpaid, tx in
            tx.add(
                "UPDATE booking SET state = 'cancelled' WHERE id = $1 AND state = 'booked'", [.text(unpaid.booking)])
        }
        settle.receive(showBoard, dedupKey: { "\($0.room) \($0.number)" }) { board, tx in
            tx.add("INSERT INTO board VALUES ($1, $2)", [.text(board.room), .int(board.number)])
        }
        let (answers, answered) = AsyncStream.makeStream(of: String.self)
        settle.answers(to: cancelUnpaid) { tx, task, _ in tx.afterCommit { _ in answered.yield(task.businessKey) } }
        settle.answers(to: showBoard) { tx, task, _ in tx.afterCommit { _ in answered.yield(task.businessKey) } }

        let group = ServiceGroup(services: settle.services, logger: Logger(label: "bookings"))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            for id in ["ann", "bob"] { try await book(id, settle) }
            // The same request again: there is one task for it, and no second.
            print("again: \(try await book("ann", settle))")
            try await settle.transaction { tx in
                tx.add("UPDATE booking SET state = 'paid' WHERE id = 'bob'")
            }
            for number in 1...20 {
                try await settle.transaction { tx in
                    for room in ["blue", "red"] {
                        try tx.send(
                            showBoard, businessKey: "\(room) \(number)", Board(room: room, number: number),
                            options: TaskOptions(orderKey: room))
                    }
                }
            }
            for await _ in answers.prefix(2 + 40) {}
            try await report(settle)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// Books, and has the booking cancelled if it is not paid for in time, also when this process is gone by then.
    @discardableResult
    static func book(_ id: String, _ settle: Settle) async throws -> String {
        try await settle.transaction { tx in
            tx.add("INSERT INTO booking VALUES ($1, 'booked') ON CONFLICT DO NOTHING", [.text(id)])
            let ticket = try tx.send(
                cancelUnpaid, businessKey: id, Unpaid(booking: id),
                options: TaskOptions(notBefore: .now + patience, uniqueKey: id))
            switch try tx.addition(of: ticket) {
            case .added: return "will be cancelled if it is not paid for"
            case .exists: return "waits for its payment already"
            }
        }
    }

    static func report(_ settle: Settle) async throws {
        for row in try await settle.database.query("SELECT id, state FROM booking ORDER BY id") {
            print("\(try row.decode(String.self, "id")): \(try row.decode(String.self, "state"))")
        }
        let boards = try await settle.database.query(
            """
            SELECT room, string_agg(number::text, ' ' ORDER BY place) AS shown FROM board GROUP BY room ORDER BY room
            """)
        for row in boards { print("\(try row.decode(String.self, "room")): \(try row.decode(String.self, "shown"))") }
    }

    static let tables = Migration(
        name: "0001_booking",
        sql: """
            CREATE TABLE booking (id text PRIMARY KEY, state text NOT NULL);
            CREATE TABLE board (room text NOT NULL, number integer NOT NULL, place bigserial);
            """)
}
