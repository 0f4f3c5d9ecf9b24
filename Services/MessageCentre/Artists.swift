import Settle
import SettleCore
import SettleHTTP
import SettleServiceKit

/// How the centre reaches producers; a test has its own.
protocol Producers: Sendable {
    /// Whether configuration knows a producer of that name.
    func knows(_ artist: String) -> Bool
    /// Asks a producer whether the business of messages is done; says nothing of those that it says nothing of.
    func check(_ questions: [Question], at artist: String) async throws -> [ByteKey: MessageVerdict]
    /// Tells a producer what was said of its messages; returns the ids of those that it has taken.
    func tell(_ outcomes: [Outcome], to artist: String) async throws -> Set<ByteKey>
}

/// Those of a directory, by HTTP, and nobody else: a name in a request is looked up, and never an address.
struct HTTPProducers: Producers {
    let directory: ServiceDirectory
    let outbound: OutboundHTTP
    let token: Tokens

    /// A producer that the directory does not have any more.
    struct Unknown: Error, CustomStringConvertible {
        let artist: String
        var description: String { "configuration does not know '\(artist)'" }
    }

    func knows(_ artist: String) -> Bool { directory.url(of: artist) != nil }

    func check(_ questions: [Question], at artist: String) async throws -> [ByteKey: MessageVerdict] {
        let body = CheckRequest(
            messages: try questions.map { CheckedMessage(id: $0.id, paramMap: try JSONValue(text: $0.paramMap)) })
        let answer: MessageResults<String> = try await client(artist).post("/messages/check", body)
        return answer.results.reduce(into: [:]) { $0[ByteKey($1.key)] = MessageVerdict(rawValue: $1.value) }
    }

    func tell(_ outcomes: [Outcome], to artist: String) async throws -> Set<ByteKey> {
        let body = OutcomesRequest(
            outcomes: outcomes.map {
                WireOutcome(
                    id: $0.id, status: ($0.rejection == nil ? TaskState.finished : .rejected).rawValue,
                    errormsg: $0.rejection)
            })
        let answer: MessageResults<String> = try await client(artist).post("/messages/outcomes", body)
        return Set(answer.results.filter { $0.value == "taken" }.map { ByteKey($0.key) })
    }

    private func client(_ artist: String) throws -> ServiceClient {
        guard let url = directory.url(of: artist) else { throw Unknown(artist: artist) }
        return ServiceClient(artist, baseURL: url.description, token: token.sent(to: url), over: outbound)
    }
}
