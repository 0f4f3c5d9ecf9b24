import Foundation
import Logging
import SettleCore
import SettlePostgres

// Mode `mt`: first the memory of the branch, durably; then the part, by the resource; then the memory that it is done.
extension Participant {
    /// As `perform`, for parts over a resource; each with its own answer, in order.
    func performByResource(_ name: String, _ requests: [BranchRequest]) async -> [Result<String, any Error>] {
        guard let handler = handlers[Key(name: name, mode: .mt)], let resource = handler.resource else {
            return requests.map { _ in .failure(BranchError.unsupportedMode(.mt)) }
        }
        do {
            try await resource.calls.call(within: settings.resourceTimeout) { try await resource.admit() }
        } catch {
            for _ in requests { metrics.event(.refused) }
            return requests.map { _ in .failure(refusal(error, name)) }
        }
        var answers = await remember(requests, handler)
        let new = requests.indices.filter { answers[$0] == nil }
        guard !new.isEmpty else { return answers.compactMap(\.self) }
        for (index, answer) in zip(new, await prepare(new.map { requests[$0] }, handler, resource)) {
            metrics.event((try? answer.get()) == nil ? .refused : .performed)
            answers[index] = answer
        }
        return answers.compactMap(\.self)
    }

    /// The answers of those that were here before, or are refused; nil for those that are new, and remembered now.
    private func remember(
        _ requests: [BranchRequest], _ handler: BranchHandler
    ) async -> [Result<String, any Error>?] {
        if requests.count > 1 {
            do {
                try await insert(requests, handler)
                return requests.map { _ in nil }
            } catch {
                logger.debug("branches are remembered one by one", metadata: ["error": "\(error)"])
            }
        }
        return await requests.concurrently { request in
            do {
                try await self.insert([request], handler)
                return nil
            } catch {
                do { return .success(try await self.answer(before: request, handler, error)) } catch {
                    self.metrics.event(.refused)
                    return .failure(error)
                }
            }
        }
    }

    private func insert(_ requests: [BranchRequest], _ handler: BranchHandler) async throws {
        try failpoints.reach("branch.beforeCommit")
        try await database.transaction { [settings] transaction in
            transaction.add("SELECT set_config('settle.xid', '', true), set_config('lock_timeout', '500ms', true)")
            BranchStore.insert(
                requests.map { ($0, nil) }, action: handler.name, mode: .mt, settings: settings, in: transaction)
        }
    }

    /// The answer of a branch that is here already; throws when there is none, and when its transaction is over.
    private func answer(
        before request: BranchRequest, _ handler: BranchHandler, _ error: any Error
    ) async throws -> String {
        let before = try await BranchStore.find(request.context.xid, request.context.branch, in: database)
        switch (before?.state).onRequest {
        case .refuse: throw BranchError.transactionIsOver
        case .perform: throw BranchError(gate: error) ?? error
        case .answerAgain:
            guard let before, before.mode == .mt, before.action == handler.name,
                try handler.isSame(before.request, request.text)
            else { throw BranchError.otherRequest }
            // Another copy of the request is at it, or died with it; check-back will find out.
            guard let answer = before.answer else { throw BranchError.prepared }
            metrics.event(.repeated)
            return answer
        }
    }

    private func prepare(
        _ requests: [BranchRequest], _ handler: BranchHandler, _ resource: ResourceHandler
    ) async -> [Result<String, any Error>] {
        let keys = requests.map { BranchKey(xid: $0.context.xid, branch: $0.context.branch) }
        var answers: [Result<String, any Error>]
        do {
            try failpoints.reach("branch.remembered")
            let left = requests.map { $0.context.timeLeft(standard: settings.deadline) }.min() ?? .zero
            let parts = zip(keys, requests).map { key, request in
                ResourceHandler.Part(xid: key.xid, branch: key.branch, request: request.text)
            }
            answers = try await resource.calls.call(within: min(settings.resourceTimeout, left)) {
                await resource.prepare(parts)
            }
        } catch {
            answers = requests.map { _ in .failure(error) }
        }
        do {
            let kept = try await note(zip(keys, answers).map { ($0, $1) })
            try failpoints.reach("branch.prepared")
            return zip(keys, answers).map { key, answer in
                switch answer {
                case .success(let text): kept.contains(key) ? .success(text) : .failure(BranchError.transactionIsOver)
                case .failure(let error): .failure(refusal(error, handler.name))
                }
            }
        } catch {
            // Whatever the resource has done, the rollback that follows undoes it.
            return requests.map { _ in .failure(error) }
        }
    }

    /// Notes what was prepared, and forgets what was refused; returns those that were prepared and wait for their end.
    private func note(_ answers: [(key: BranchKey, answer: Result<String, any Error>)]) async throws -> Set<BranchKey> {
        let prepared = answers.compactMap { key, answer in (try? answer.get()).map { (key: key, answer: $0) } }
        let refused = answers.compactMap { key, answer in
            if case .failure(is BranchRefusal) = answer { key } else { nil }
        }
        guard !prepared.isEmpty || !refused.isEmpty else { return [] }
        let kept = try await database.transaction { transaction in
            if !refused.isEmpty { BranchStore.forget(refused, in: transaction) }
            guard !prepared.isEmpty else { return Set<ByteKey>() }
            return try BranchStore.prepared(prepared, in: transaction)
        }
        return Set(prepared.map(\.key).filter { kept.contains(ByteKey($0.text)) })
    }

    private func refusal(_ error: any Error, _ name: String) -> any Error {
        if error is BranchRefusal || error is BranchError { return error }
        logger.warning(
            "a resource could not be asked for its part; what it may have done is undone",
            metadata: ["action": "\(name)", "error": "\(error)"])
        return BranchError.resourceAway
    }
}
