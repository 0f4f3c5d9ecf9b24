/// What the clients saw of one run.
struct LoadResult: Sendable {
    /// Of all requests that were answered, whatever the answer, from the intended start.
    var latencies = Histogram()
    /// Orders that were answered 201.
    var accepted = 0
    /// Other answers, by what they said.
    var refused: [String: Int] = [:]
    /// Requests without an answer: nobody knows whether their order exists.
    var unanswered = 0
    /// From the beginning to the last answer.
    var elapsed: Duration = .zero

    var errors: Int { refused.values.reduce(unanswered, +) }

    /// The errors, for a person to read.
    var errorSummary: String {
        (refused.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }
            + (unanswered > 0 ? ["\(unanswered) without an answer"] : [])).joined(separator: ", ")
    }
}
