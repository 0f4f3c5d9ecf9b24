public import SettleServiceKit

/// What an action of a participant takes and answers.
public struct ActionDescription: Sendable {
    let name: String
    let summary: String
    /// The operation with the action's body.
    let reading: @Sendable (APIOperation) -> APIOperation
    let answer: APISchema
    let refusals: [Problem]

    /// - Parameters:
    ///   - name: as in `POST /branches/{name}`.
    ///   - summary: what it does, in one sentence.
    ///   - type: what it decodes.
    ///   - request: what that must be like.
    ///   - answers: what it answers.
    ///   - refuses: the codes with which the business says no.
    public init<Request: Decodable & Sendable>(
        _ name: String, _ summary: String, reads type: Request.Type, _ request: APISchema, answers: APISchema,
        refuses: [String]
    ) {
        self.name = name
        self.summary = summary
        reading = { $0.reading(type, request) }
        answer = answers
        refusals = refuses.map { .conflict($0, "") }
    }
}
