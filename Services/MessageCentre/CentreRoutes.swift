import Hummingbird
import Settle
import SettleHTTP
import SettleServiceKit

/// What producers and consumers ask of the centre; all of it internal.
struct CentreRoutes {
    static let maxMessages = 1...1000
    /// Of an AMQP name.
    static let maxName = 255
    static let maxHeaders = 16

    let centre: Centre
    let producers: any Producers

    func add(to guarded: ServiceRoutes) {
        guarded.post("prepare") { request, context in
            let wanted = try await requireJSON(PrepareRequest.self, from: request, context: context).messages
            try Check.count("messages", wanted, Self.maxMessages)
            let messages = try wanted.enumerated().map { try checked($1, "messages[\($0)]") }
            return try Self.answer(messages.map(\.id), try await centre.prepare(messages))
        }
        guarded.post("confirm") { request, context in
            let wanted = try await requireJSON(ConfirmRequest.self, from: request, context: context)
            try checkIDs(wanted.ids)
            return try Self.answer(wanted.ids, try await centre.confirm(wanted.ids).map(\.rawValue))
        }
        guarded.post("ack") { request, context in
            let said = try await requireJSON(AcknowledgeRequest.self, from: request, context: context).acks
            try Check.count("acks", said, Self.maxMessages)
            let acknowledgements = try said.enumerated().map { try checked($1, "acks[\($0)]") }
            let words = try await centre.acknowledge(acknowledgements).map { $0 ? "acknowledged" : "unknown" }
            return try Self.answer(acknowledgements.map(\.id), words)
        }
    }

    private func checkIDs(_ ids: [String]) throws {
        try Check.count("ids", ids, Self.maxMessages)
        for (index, id) in ids.enumerated() { try Check.length("ids[\(index)]", id, 1...64) }
    }

    private func checked(_ message: WireMessage, _ field: String) throws -> NewMessage {
        try Check.length("\(field).id", message.id, 1...64)
        try checkName("\(field).exchange", message.exchange)
        try checkName("\(field).routingKey", message.routingKey)
        guard message.msg.utf8.count <= MessageDraft.maxBodyBytes else {
            throw Problem.unprocessable("\(field).msg must have at most \(MessageDraft.maxBodyBytes) bytes")
        }
        // It is asked by that name later: who is not known cannot be asked.
        guard producers.knows(message.artist) else {
            throw Problem.unprocessable("\(field).artist is not one of those that this service's ARTISTS lists")
        }
        let paramMap = message.paramMap ?? .object([:])
        guard paramMap.isObject else { throw Problem.unprocessable("\(field).paramMap must be an object") }
        let headers = message.headers ?? [:]
        guard headers.count <= Self.maxHeaders,
            headers.allSatisfy({ (1...64).contains($0.key.utf8.count) && $0.value.utf8.count <= 1_000 })
        else { throw Problem.unprocessable("\(field).headers must be at most \(Self.maxHeaders) short texts") }
        return NewMessage(
            id: message.id, artist: message.artist, exchange: message.exchange, routingKey: message.routingKey,
            msg: message.msg, paramMap: try paramMap.text,
            headers: try JSONValue.object(headers.mapValues { .text($0) }).text,
            wantsOutcome: message.wantsOutcome ?? false)
    }

    private func checkName(_ field: String, _ name: String) throws {
        guard name.utf8.count <= Self.maxName else {
            throw Problem.unprocessable("\(field) must have at most \(Self.maxName) bytes")
        }
    }

    private func checked(_ said: WireAcknowledgement, _ field: String) throws -> Acknowledgement {
        try Check.length("\(field).id", said.id, 1...64)
        try Check.choice(
            "\(field).status", said.status ?? TaskState.finished.rawValue,
            of: [TaskState.finished.rawValue, TaskState.rejected.rawValue])
        if let reason = said.errormsg { try Check.length("\(field).errormsg", reason, 0...1000) }
        let reason = said.errormsg.flatMap { $0.isEmpty ? nil : $0 } ?? "rejected without a reason"
        return Acknowledgement(id: said.id, rejection: said.status == TaskState.rejected.rawValue ? reason : nil)
    }

    private static func answer(_ ids: [String], _ words: [some Codable & Sendable]) throws -> Response {
        try Response.json(
            MessageResults(
                results: Dictionary(zip(ids, words).map { ($0, $1) }, uniquingKeysWith: { first, _ in first })))
    }
}
