/// One `POST /orders` and what came of it.
struct Attempt: Sendable {
    struct Placed: Decodable, Sendable {
        let id: String
        let status: String
    }

    /// Its Idempotency-Key, by which the order can be found even when no answer came.
    let key: String
    let outcome: Result<HTTPAnswer, HTTPFailure>
    let latency: Duration

    var status: Int? {
        if case .success(let answer) = outcome { answer.status } else { nil }
    }
    var failure: HTTPFailure? {
        if case .failure(let failure) = outcome { failure } else { nil }
    }
    /// The order's id, when it was placed.
    var orderID: String? {
        guard case .success(let answer) = outcome, answer.status == 201 else { return nil }
        // An answer that cannot be read has no id, which the ledger reports.
        return try? answer.decode(Placed.self).id
    }
}

extension [Attempt] {
    func count(status: Int) -> Int { count { $0.status == status } }

    /// How often each outcome came, for a person to read.
    var summary: String {
        var counts: [String: Int] = [:]
        for attempt in self {
            let name = attempt.status.map(String.init) ?? attempt.failure.map { "\($0)" } ?? ""
            counts[name, default: 0] += 1
        }
        return counts.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: ", ")
    }
}
