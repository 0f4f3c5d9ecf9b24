import Logging
import Settle
import SettleCore
import SettleHTTP
import ServiceLifecycle

/// Asks producers about messages that were prepared and never confirmed; what they say decides.
struct MessageCheckBack: Service {
    /// As many as a request of a question may hold.
    static let maxQuestions = 200

    let centre: Centre
    let producers: any Producers
    let failpoints: Failpoints
    let logger: Logger
    /// Anything in it makes the next look happen now.
    let signal = Mailbox<Void>(capacity: 1)

    /// Runs until graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await Task.every(centre.store.settings.scanInterval) { _ = signal.offer(()) } }
                while !(await signal.take()).isEmpty { await look() }
                group.cancelAll()
            }
        }
    }

    /// One look; returns when all that were to be asked have answered or failed to.
    func look() async {
        do {
            let (questions, parked) = try await centre.store.claimChecks()
            for message in parked {
                logger.error(
                    "message parked: its producer does not know whether it is done", metadata: message.metadata)
            }
            // Only names that configuration has were let in.
            let byArtist = Dictionary(grouping: questions, by: \.artist)  // ours
            await withDiscardingTaskGroup { group in
                for questions in byArtist.values {
                    for start in stride(from: 0, to: questions.count, by: Self.maxQuestions) {
                        let batch = Array(questions[start..<min(start + Self.maxQuestions, questions.count)])
                        group.addTask { await ask(batch) }
                    }
                }
            }
            if questions.count + parked.count == centre.store.settings.batchSize { signal.offer(()) }
        } catch {
            logger.warning("looking for messages to check failed; next look", metadata: ["error": "\(error)"])
        }
    }

    private func ask(_ questions: [Question]) async {
        do {
            failpoints.reachCommitted("centre.checkClaimed")
            let trace = BatchTrace.messages("check back", questions.map { ($0.id, $0.headers) })
            defer { trace.end() }
            let said = try await trace.run { try await producers.check(questions, at: questions[0].artist) }
            failpoints.reachCommitted("centre.checkAnswered")
            var by: [MessageVerdict: [String]] = [:]
            for question in questions { by[said[ByteKey(question.id)] ?? .undecided, default: []].append(question.id) }
            for (verdict, ids) in by { centre.metrics.checked(verdict, ids.count) }
            if let ids = by[.done] { _ = try await centre.confirm(ids) }
            if let ids = by[.notDone] {
                _ = try await centre.discard(
                    ids, because: "its producer says that its business was not done", confirmedToo: false)
            }
        } catch {
            centre.metrics.unanswered(questions.count)
            logger.warning(
                "a producer could not be asked; its messages wait",
                metadata: questions[0].metadata.merging(["messages": "\(questions.count)", "error": "\(error)"]) { $1 })
            await note(notChecked: questions.map(\.number))
        }
    }

    private func note(notChecked numbers: [Int64]) async {
        do {
            try await centre.store.notChecked(numbers)
        } catch {
            // A check too many is counted; no message is lost by it.
            logger.warning("could not note that messages were not checked", metadata: ["error": "\(error)"])
        }
    }
}

extension Question {
    fileprivate var metadata: Logger.Metadata { ["messageId": "\(id)", "artist": "\(artist)"] }
}
