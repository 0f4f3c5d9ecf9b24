import HTTPTypes

@testable import SettleServiceKit

extension ServiceClient {
    /// Asks for a document: services themselves only ever send one.
    func get<Answer: Decodable>(
        _ path: String, headers: [String: String] = [:], timeout: Duration? = nil, as: Answer.Type = Answer.self
    ) async throws(ServiceClientError) -> Answer {
        try decode(try await send(.get, path, headers: headers, timeout: timeout))
    }
}
