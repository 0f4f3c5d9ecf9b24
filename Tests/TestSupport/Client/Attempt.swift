/// One `POST /orders` and what came of it.
package struct Attempt: Sendable {
    package struct Placed: Decodable, Sendable {
        package let id: String
        package let status: String
    }

    /// Its Idempotency-Key, by which the order can be found even when no answer came.
    package let key: String
    package let outcome: Result<HTTPAnswer, HTTPFailure>
    package let latency: Duration

    package init(key: String, outcome: Result<HTTPAnswer, HTTPFailure>, latency: Duration) {
        (self.key, self.outcome, self.latency) = (key, outcome, latency)
    }

    /// Whether the order is there, placed by this request or by one before it with the same key.
    package var isAccepted: Bool { status == 201 || status == 200 }

    package var status: Int? {
        if case .success(let answer) = outcome { answer.status } else { nil }
    }
    /// Whether the client was told that another transaction holds a row, and when to come again.
    package var isLocked: Bool {
        guard case .success(let answer) = outcome else { return false }
        return answer.isLocked && answer.headers["retry-after"] != nil
    }
    package var failure: HTTPFailure? {
        if case .failure(let failure) = outcome { failure } else { nil }
    }
    /// The order's id, when it was placed.
    package var orderID: String? {
        guard case .success(let answer) = outcome, answer.status == 201 else { return nil }
        // An answer that cannot be read has no id, which the ledger reports.
        return try? answer.decode(Placed.self).id
    }
}

extension Attempt {
    fileprivate struct Problem: Decodable {
        let detail: String?
    }

    /// The status with what the problem document says, or why there is none.
    fileprivate var name: String {
        switch outcome {
        case .failure(let failure): return "\(failure)"
        case .success(let answer):
            // An answer that is no problem document has no detail.
            let problem = answer.status < 400 ? nil : try? answer.decode(Problem.self)
            return ["\(answer.status)", problem?.detail].compactMap(\.self).joined(separator: " ")
        }
    }
}

extension [Attempt] {
    package func count(status: Int) -> Int { count { $0.status == status } }

    /// How often each outcome came, for a person to read.
    package var summary: String {
        var counts: [String: Int] = [:]
        for attempt in self {
            counts[attempt.name, default: 0] += 1
        }
        return counts.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: ", ")
    }
}
