public import Foundation
import Logging
import SettleCore
import SettlePostgres

/// A request for a part of a global transaction.
public struct BranchRequest: Sendable {
    /// What is asked for, as JSON.
    public let body: Data
    /// The transaction that it is a part of.
    public let context: BranchContext

    /// - Parameters:
    ///   - body: what is asked for, as JSON.
    ///   - context: the transaction that it is a part of.
    public init(body: Data, context: BranchContext) {
        self.body = body
        self.context = context
    }

    var text: String { String(decoding: body, as: UTF8.self) }
}

extension Participant {
    /// Does the action called `name` for several global transactions: in one local transaction where the action can do
    /// that, else in one each.
    ///
    /// Each request gets an answer of its own, in order, as if it had come alone; but none waits for a row. One that would
    /// have to fails with `BranchError.comeAlone`, and the answers of the others do not wait for it either: it may be one
    /// of them that holds the row, and is free only when its initiator has its answer.
    ///
    /// A part that calls further participants is done, too, but what it calls would hold up the others' answers. So it fails
    /// with `BranchError.goesOnAlone`; sent alone it goes on from there.
    public func perform(_ name: String, group requests: [BranchRequest]) async -> [Result<BranchAnswer, any Error>] {
        if let only = requests.first, requests.count == 1 {
            do { return [.success(try await answer(name, only, isAlone: false))] } catch { return [.failure(error)] }
        }
        let further = requests.map { callsFurther(name, $0) }
        // What is prepared cannot be asked for again.
        let isLeft = zip(requests, further).map { $0.context.mode == .xa && $1 }
        var done = await parts(name, zip(requests, isLeft).filter { !$1 }.map(\.0))[...]
        return zip(further, isLeft).map { callsFurther, isLeft in
            guard !isLeft, let part = done.popFirst() else { return .failure(BranchError.comeAlone) }
            return part.flatMap { callsFurther ? .failure(BranchError.goesOnAlone) : .success(BranchAnswer(body: $0)) }
        }
    }

    private func parts(_ name: String, _ requests: [BranchRequest]) async -> [Result<Data, any Error>] {
        var answers = [Result<Data, any Error>?](repeating: nil, count: requests.count)
        for mode in Set(requests.map(\.context.mode)) {
            let indices = requests.indices.filter { requests[$0].context.mode == mode }
            let its = indices.map { requests[$0] }
            let together: [Result<String, any Error>?] =
                switch mode {
                case .at: await performInTurn(name, its)
                case .mt: await performByResource(name, its)
                case .tcc, .xa, .saga: await performTogether(name, mode, its)
                }
            for (index, answer) in zip(indices, together) { answers[index] = answer?.map { Data($0.utf8) } }
        }
        // All at once: one that waits for a commit must not make the others wait.
        let alone = requests.indices.map { index in
            answers[index] == nil ? Task { try await perform(name, requests[index], isAlone: false) } : nil
        }
        var all: [Result<Data, any Error>] = []
        for (answer, task) in zip(answers, alone) {
            if let answer { all.append(answer) } else if let task { all.append(await task.result) }
        }
        return all
    }

    /// The answers of what was done in one local transaction; nil for what is to be done by itself: because the action
    /// leaves it, or because the transaction failed. Whatever was in its way, each finds out alone, be it that it was done
    /// before, or that only the word of the commit was lost.
    private func performTogether(
        _ name: String, _ mode: BranchMode, _ requests: [BranchRequest]
    ) async -> [Result<String, any Error>?] {
        let nobody = [Result<String, any Error>?](repeating: nil, count: requests.count)
        guard requests.count > 1, let perform = handlers[Key(name: name, mode: mode)]?.performGroup else {
            return nobody
        }
        do {
            try failpoints.reach("branch.beforeCommit")
            let answers = try await database.transaction { [settings] transaction in
                // As long as a request that came alone waits at first.
                transaction.add(
                    "SELECT set_config('settle.xid', '', true), set_config('lock_timeout', '20ms', true)")
                let answers = try perform(requests.map(\.text), transaction)
                let parts = zip(requests, answers).compactMap { request, answer in
                    answer.map { (request: request, answer: $0) }
                }
                if !parts.isEmpty {
                    BranchStore.insert(parts, action: name, mode: mode, settings: settings, in: transaction)
                }
                return answers
            }
            try failpoints.reach("branch.committed")
            for (request, answer) in zip(requests, answers) where answer != nil { note(request, name) }
            return answers.map { answer in answer.map { .success($0) } }
        } catch {
            logger.debug("parts are done one by one", metadata: ["action": "\(name)", "error": "\(error)"])
            return nobody
        }
    }

    private func note(_ request: BranchRequest, _ name: String) {
        metrics.event(.performed)
        logger.debug("branch performed", metadata: metadata(request.context, name))
    }
}

// Mode `at`: each part under its own XID, one after the other in one local transaction.
extension Participant {
    /// One of several parts failed, and with it their transaction.
    private struct PartFailed: Error {
        let index: Int
        let error: any Error
    }

    /// So often the others begin again without the one that failed.
    private static let turns = 3

    /// As `performTogether`: an answer, or that it must come alone, or nil for what is to be done by itself.
    private func performInTurn(_ name: String, _ requests: [BranchRequest]) async -> [Result<String, any Error>?] {
        var answers = [Result<String, any Error>?](repeating: nil, count: requests.count)
        guard let handler = handlers[Key(name: name, mode: .at)], (try? await isATSafe()) == true else {
            return answers
        }
        var open: [Int] = []
        var claimed: Set<ByteKey> = []
        for (index, request) in requests.enumerated() {
            let rows = handler.rows(request.text)
            let keys = rows.byteKeys
            // One that another of this group holds by then, or that others wait for.
            if !claimed.isDisjoint(with: keys) || waiting.isAwaited({ rows }) {
                answers[index] = .failure(BranchError.comeAlone)
            } else {
                open.append(index)
                claimed.formUnion(keys)
            }
        }
        for _ in 0..<Self.turns where open.count > 1 {
            do {
                try failpoints.reach("branch.beforeCommit")
                let done = try await performInTurn(handler, open.map { requests[$0] })
                try failpoints.reach("branch.committed")
                for (index, answer) in zip(open, done) {
                    answers[index] = .success(answer)
                    note(requests[index], name)
                }
                return answers
            } catch let failed as PartFailed {
                // Whoever holds the row may be of this very group.
                if failed.error.isWorthWaiting { answers[open[failed.index]] = .failure(BranchError.comeAlone) }
                open.remove(at: failed.index)
            } catch {
                logger.debug("parts are done one by one", metadata: ["action": "\(name)", "error": "\(error)"])
                return answers
            }
        }
        return answers
    }

    private func performInTurn(_ handler: BranchHandler, _ requests: [BranchRequest]) async throws -> [String] {
        try await database.transaction { [settings] transaction in
            transaction.add(
                """
                SELECT set_config('lock_timeout', '20ms', true),
                       set_config('settle.written', settle.at_written(), true)
                """)
            var answers: [String] = []
            for (index, request) in requests.enumerated() {
                transaction.add(
                    "SELECT set_config('settle.xid', $1, true)", [.text(request.context.xid.rawValue)])
                do {
                    answers.append(try handler.perform(request.text, transaction))
                } catch {
                    throw PartFailed(index: index, error: error)
                }
            }
            transaction.add("SELECT settle.at_confine()")
            BranchStore.insert(
                zip(requests, answers).map { ($0, $1) }, action: handler.name, mode: .at, settings: settings,
                in: transaction)
            return answers
        }
    }
}
