public import Foundation
public import Settle
public import SettleServiceKit

/// The message centre, reached by HTTP.
public struct HTTPMessageCentre: MessageCentrePeer {
    private let client: ServiceClient
    private let name: String

    /// - Parameters:
    ///   - client: calls the centre.
    ///   - name: of this application, by which the centre's configuration knows where it checks back.
    public init(_ client: ServiceClient, as name: String) {
        self.client = client
        self.name = name
    }

    /// `POST /prepare`
    public func prepare(_ messages: [PreparedMessage]) async throws -> Set<UUID> {
        let answer: MessageResults<Preparation> = try await client.post(
            "/prepare", PrepareRequest(messages: messages.map(wire)))
        return Set(messages.map(\.id).filter { answer.results[$0.wire].map { $0 != .differs } ?? false })
    }

    /// `POST /confirm`
    public func confirm(_ ids: [UUID]) async throws -> [UUID: Confirmation] {
        let answer: MessageResults<String> = try await client.post(
            "/confirm", ConfirmRequest(ids: ids.map(\.wire), caller: name))
        return ids.reduce(into: [:]) { said, id in
            said[id] = answer.results[id.wire].flatMap { Confirmation(rawValue: $0) }
        }
    }

    /// `POST /ack`
    public func acknowledge(_ acknowledgements: [MessageAcknowledgement]) async throws -> [String] {
        let answer: MessageResults<String> = try await client.post(
            "/ack", AcknowledgeRequest(acks: acknowledgements.map(wire)))
        // Nothing said is not noted: the whole batch is told again.
        guard acknowledgements.allSatisfy({ answer.results[$0.id] != nil }) else {
            throw ServiceClientError.invalidAnswer("the message centre: not a word for each message")
        }
        return acknowledgements.map(\.id).filter { answer.results[$0] == "unknown" }
    }

    private func wire(_ message: PreparedMessage) -> WireMessage {
        WireMessage(
            id: message.id.wire, msg: message.body, routingKey: message.routingKey, exchange: message.exchange,
            paramMap: .object(["type": .text(message.type), "businessKey": .text(message.businessKey)]),
            artist: name, headers: message.headers.isEmpty ? nil : message.headers,
            wantsOutcome: message.wantsOutcome ? true : nil)
    }

    private func wire(_ acknowledgement: MessageAcknowledgement) -> WireAcknowledgement {
        let reason: String? = if case .rejected(let reason) = acknowledgement.answer { reason } else { nil }
        return WireAcknowledgement(
            id: acknowledgement.id, artist: acknowledgement.producer.isEmpty ? name : acknowledgement.producer,
            status: (reason == nil ? TaskState.finished : .rejected).rawValue, errormsg: reason)
    }
}

extension UUID {
    /// As ids stand in messages and requests.
    var wire: String { uuidString.lowercased() }
}
