import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// An initiator that says what it was told to say when a participant checks back, and keeps the questions.
final class PlayedInitiator: Sendable {
    /// What it answers about one XID, each time that it is asked.
    enum Word: Sendable, Equatable {
        case commit, abort, undecided
        /// The XID is missing from the answer.
        case missing
        /// The whole question is answered 500.
        case failure
    }

    /// What came about one XID.
    struct Question: Sendable {
        let onlyRead: Bool
        let authorization: String?
    }

    private struct State {
        var words: [String: [Word]] = [:]
        var questions: [String: [Question]] = [:]
    }

    private struct Body: Decodable {
        let xids: [String]
        let onlyRead: Bool?
    }

    private let state = Mutex(State())

    /// One word for each question about `xid`; the last one stays. Without: undecided.
    func say(_ words: [Word], about xid: String) { state.withLock { $0.words[xid] = words } }

    func questions(about xid: String) -> [Question] { state.withLock { $0.questions[xid] ?? [] } }

    /// Listens as long as `body` runs.
    func listening<R: Sendable>(host: String, port: Int, _ body: () async throws -> R) async throws -> R {
        let router = Router()
        router.post("transactions/outcomes") { request, _ in
            let content = try await request.body.collect(upTo: 1 << 20)
            return self.answer(Array(content.readableBytesView), authorization: request.headers[.authorization])
        }
        let (started, starts) = AsyncStream.makeStream(of: Void.self)
        let application = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
            onServerRunning: { _ in starts.yield() },
            logger: Logger(label: "conformance") { _ in SwiftLogNoOpLogHandler() })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // It cannot listen there: then nobody shall wait for it.
                defer { starts.finish() }
                try await application.run()
            }
            defer { group.cancelAll() }
            for await _ in started { return try await body() }
            try await group.next()
            throw CancellationError()
        }
    }

    private func answer(_ body: [UInt8], authorization: String?) -> Response {
        guard let asked = try? JSONDecoder().decode(Body.self, from: Data(body)) else {
            return Response(status: .badRequest)
        }
        let words = state.withLock { state in
            asked.xids.map { xid in
                state.questions[xid, default: []].append(
                    Question(onlyRead: asked.onlyRead ?? false, authorization: authorization))
                guard var words = state.words[xid], let word = words.first else { return (xid, Word.undecided) }
                if words.count > 1 { words.removeFirst() }
                state.words[xid] = words
                return (xid, word)
            }
        }
        guard !words.contains(where: { $0.1 == .failure }) else { return Response(status: .internalServerError) }
        let outcomes = words.compactMap { xid, word in word.text.map { "\"\(xid)\": \"\($0)\"" } }
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(
                byteBuffer: ByteBuffer(string: #"{"outcomes": {\#(outcomes.joined(separator: ", "))}}"#)))
    }
}

extension PlayedInitiator.Word {
    fileprivate var text: String? {
        switch self {
        case .commit: "commit"
        case .abort: "abort"
        case .undecided: "undecided"
        case .missing, .failure: nil
        }
    }
}
