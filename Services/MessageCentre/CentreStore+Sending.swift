import Foundation
import Settle
import SettleCore
import SettlePostgres

// What the relay sends, and notes of it.
extension CentreStore: RelayStore {
    func claim(limit: Int, reach: Duration?) async throws -> ClaimedTasks {
        let begin = ContinuousClock.now
        let rows = try await database.query(
            Self.claimSends(limit),
            [
                .int(settings.lease.milliseconds), .int(settings.maxAttempts),
                reach.map { .int64(Int64($0 / .microseconds(1))) } ?? .null,
            ])
        var claimed = ClaimedTasks()
        for row in rows {
            let message = try OutgoingTask(message: row, leaseEnd: begin + settings.lease)
            if try row.decode(Bool.self, at: OutgoingTask.messageColumnCount) {
                let errormsg = try row.decode(String?.self, at: OutgoingTask.messageColumnCount + 1)
                claimed.parked.append(ParkedTask(task: message, errormsg: errormsg))
            } else {
                claimed.tasks.append(message)
            }
            claimed.upTo = .microseconds(try row.decode(Int64.self, at: OutgoingTask.messageColumnCount + 2))
        }
        return claimed
    }

    func postpone(_ leases: [TaskLease]) async throws {
        _ = try await database.query(
            Self.postponement,
            [
                .int64s(leases.map(\.id)), .int64s(leases.map(\.due)), .int(settings.republishAfter.milliseconds),
                .int(settings.republishCap.milliseconds),
            ])
    }

    func refused(_ refusals: [Refusal]) async throws {
        _ = try await database.query(
            Self.refused,
            [
                .int64s(refusals.map(\.lease.id)), .int64s(refusals.map(\.lease.due)), .texts(refusals.map(\.reason)),
                .ints(refusals.map { settings.refusedBackoff.delay(attempt: $0.attempts).milliseconds }),
            ])
    }

    func notAttempted(_ ids: [Int64]) async throws {
        _ = try await database.query(Self.notAttempted, [.int64s(ids)])
    }

    func backlog() async throws -> TaskBacklog {
        guard let row = try await database.query(Self.backlog).first else {
            return TaskBacklog(pending: 0, parked: 0, oldestAge: 0)
        }
        return TaskBacklog(
            pending: try row.decode(Int.self, at: 0), parked: try row.decode(Int.self, at: 1),
            oldestAge: try row.decode(Double.self, at: 2))
    }

    func purge(after key: Int64?, retention: Duration) async throws -> PurgeWalk<Int64>.Step {
        let row = try await database.transaction { [batch = settings.batchSize] transaction in
            transaction.planAlongTheIndex()
            // An aggregate without GROUP BY: there always is a row.
            return try transaction.query(Self.purge(batch), [.int(retention.milliseconds), .int64(key ?? .min)])[0]
        }
        return PurgeWalk.Step(
            last: try row.decode(Int64?.self, at: 2), walked: try row.decode(Int.self, at: 0),
            purged: try row.decode(Int.self, at: 1))
    }
}

extension OutgoingTask {
    /// Of `message`, in the order in which `init(message:leaseEnd:)` reads them.
    static let messageColumns = """
        number, id, artist, exchange, routing_key, msg, headers, sends, (extract(epoch FROM due_time) * 1000000)::bigint
        """
    /// How many those are: what a statement returns besides comes after them.
    static let messageColumnCount = 9

    /// A message as it is published: its producer's name is among the headers.
    init(message row: PostgresRow, leaseEnd: ContinuousClock.Instant) throws {
        let artist = try row.decode(String.self, at: 2)
        var headers = try JSONDecoder().decode(
            [String: String].self, from: Data(try row.decode(String.self, at: 6).utf8))  // ours
        headers[MessageHeader.producer] = artist
        self.init(
            plain: try row.decode(String.self, at: 5), id: try row.decode(String.self, at: 1), type: artist,
            exchange: try row.decode(String.self, at: 3), routingKey: try row.decode(String.self, at: 4),
            headers: headers, attempts: try row.decode(Int.self, at: 7),
            // One that is parked is due no more.
            lease: TaskLease(id: try row.decode(Int64.self, at: 0), due: try row.decode(Int64?.self, at: 8) ?? 0),
            leaseEnd: leaseEnd)
    }
}
