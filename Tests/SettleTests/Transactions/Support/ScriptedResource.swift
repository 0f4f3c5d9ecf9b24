import SettlePostgres
import Synchronization

@testable import Settle

/// A resource that is no database, in memory: it remembers what was prepared, committed and rolled back, and may be away.
final class ScriptedResource: Sendable {
    struct Away: Error {}

    struct State {
        var prepared: [String: Int64] = [:]
        var over: Set<String> = []
        var committed: [String: Int64] = [:]
        var calls: [String] = []
        var away: Set<String> = []
        var poisoned: Set<String> = []
        var left: Int64 = 100
    }

    let state = Mutex(State())
    /// Held open until a test opens it: a prepare that is under way.
    let prepareGate = Mutex<Gate?>(nil)

    var left: Int64 { state.withLock { $0.left } }
    var calls: [String] { state.withLock { $0.calls } }
    var isEmpty: Bool { state.withLock { $0.prepared.isEmpty } }
    func setAway(_ calls: String...) { state.withLock { $0.away = Set(calls) } }

    func enter(_ call: String, _ key: String) throws {
        try state.withLock { state in
            state.calls.append("\(call) \(key)")
            if state.away.contains(call) || state.poisoned.contains(key) { throw Away() }
        }
    }
}

struct Coins: Codable, Sendable { let amount: Int64 }
struct CoinsLeft: Codable, Sendable, Equatable { let left: Int64 }

/// Takes coins out of a `ScriptedResource`, and books them in the wallet `coins`.
struct TakeCoins: MTAction {
    let resource: ScriptedResource

    func prepare(_ part: ResourcePart<Coins>) async throws -> CoinsLeft {
        if let gate = resource.prepareGate.withLock({ $0 }) { await Task.detached { gate.pass() }.value }
        try resource.enter("prepare", part.key)
        return try resource.state.withLock { state in
            if state.over.contains(part.key) { throw BranchRefusal(code: "over", detail: "it was rolled back") }
            if state.prepared[part.key] == nil {
                guard state.left >= part.request.amount else {
                    throw BranchRefusal(code: "insufficient-coins", detail: "not enough")
                }
                state.left -= part.request.amount
                state.prepared[part.key] = part.request.amount
            }
            return CoinsLeft(left: state.left)
        }
    }

    func commit(_ part: ResourcePart<Coins>) async throws {
        try resource.enter("commit", part.key)
        resource.state.withLock { state in
            if let amount = state.prepared.removeValue(forKey: part.key) { state.committed[part.key] = amount }
        }
    }

    func rollback(_ part: ResourcePart<Coins>) async throws {
        try resource.enter("rollback", part.key)
        resource.state.withLock { state in
            state.over.insert(part.key)
            if let amount = state.prepared.removeValue(forKey: part.key) { state.left += amount }
        }
    }

    func book(_ requests: [Coins], in transaction: borrowing PostgresTransaction) throws {
        transaction.add(
            "UPDATE wallet SET balance = balance - $1::bigint WHERE name = 'coins'",
            [.int64(requests.reduce(0) { $0 + $1.amount })])
    }
}

/// The same for several at once.
struct TakeCoinsTogether: MTGroupAction {
    typealias Request = Coins
    typealias Answer = CoinsLeft

    let one: TakeCoins

    func prepare(_ parts: [ResourcePart<Coins>]) async -> [Result<CoinsLeft, any Error>] {
        var answers: [Result<CoinsLeft, any Error>] = []
        for part in parts {
            do { answers.append(.success(try await one.prepare(part))) } catch { answers.append(.failure(error)) }
        }
        return answers
    }

    func commit(_ parts: [ResourcePart<Coins>]) async throws { for part in parts { try await one.commit(part) } }
    func rollback(_ parts: [ResourcePart<Coins>]) async throws { for part in parts { try await one.rollback(part) } }
    func book(_ requests: [Coins], in transaction: borrowing PostgresTransaction) throws {
        try one.book(requests, in: transaction)
    }
}
