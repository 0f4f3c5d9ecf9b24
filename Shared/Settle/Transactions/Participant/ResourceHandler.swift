import Foundation
import SettleCore

/// An action over a resource, with its types set aside.
package struct ResourceHandler: Sendable {
    typealias Part = ResourcePart<String>
    typealias End = @Sendable ([Part]) async throws -> Void

    let admit: @Sendable () async throws -> Void
    /// For each part, in order, its answer or what came of it.
    let prepare: @Sendable ([Part]) async -> [Result<String, any Error>]
    let commit: End
    let rollback: End
    /// Whether its ends take several parts at once.
    let isGroup: Bool
    let calls = BoundedCalls()

    init<Action: MTAction>(_ action: Action) {
        let one = { @Sendable (part: ResourcePart<Action.Request>) async -> Result<Action.Answer, any Error> in
            do { return .success(try await action.prepare(part)) } catch { return .failure(error) }
        }
        self.init(
            action, isGroup: false,
            prepare: { parts in await parts.concurrently(one) },
            commit: { parts in for part in parts { try await action.commit(part) } },
            rollback: { parts in for part in parts { try await action.rollback(part) } })
    }

    init<Action: MTGroupAction>(group action: Action) {
        self.init(
            action, isGroup: true, prepare: { await action.prepare($0) }, commit: { try await action.commit($0) },
            rollback: { try await action.rollback($0) })
    }

    private init<Action: MTAction>(
        _ action: Action, isGroup: Bool,
        prepare: @escaping @Sendable ([ResourcePart<Action.Request>]) async -> [Result<Action.Answer, any Error>],
        commit: @escaping @Sendable ([ResourcePart<Action.Request>]) async throws -> Void,
        rollback: @escaping @Sendable ([ResourcePart<Action.Request>]) async throws -> Void
    ) {
        self.isGroup = isGroup
        admit = { try await action.admit() }
        self.prepare = { parts in
            let read = parts.map { part in Result { try part.read(as: Action.Request.self) } }
            var answers = await prepare(read.compactMap { try? $0.get() })[...]
            return read.map { part in
                part.flatMap { _ in answers.popFirst() ?? .failure(BranchError.resourceAway) }
                    .flatMap { answer in
                        Result { String(decoding: try JSONEncoder().encode(answer), as: UTF8.self) }
                    }
            }
        }
        self.commit = { try await commit(try $0.map { try $0.read(as: Action.Request.self) }) }
        self.rollback = { try await rollback(try $0.map { try $0.read(as: Action.Request.self) }) }
    }
}

extension ResourcePart<String> {
    fileprivate func read<Other: Decodable>(as: Other.Type) throws -> ResourcePart<Other> {
        ResourcePart<Other>(
            xid: xid, branch: branch, request: try JSONDecoder().decode(Other.self, from: Data(request.utf8)))
    }
}

extension Collection where Element: Sendable {
    /// What `body` makes of each, in order; a few at a time.
    func concurrently<Made: Sendable>(_ body: @escaping @Sendable (Element) async -> Made) async -> [Made] {
        await withTaskGroup(of: (Int, Made).self) { group in
            var made = [Made?](repeating: nil, count: count)
            for (index, element) in enumerated() {
                if index >= 8, let (index, one) = await group.next() { made[index] = one }
                group.addTask { (index, await body(element)) }
            }
            for await (index, one) in group { made[index] = one }
            return made.compactMap(\.self)
        }
    }
}
