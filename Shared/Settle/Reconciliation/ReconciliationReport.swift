public import Foundation

/// What a run found.
public struct ReconciliationReport: Encodable, Sendable {
    /// Its name.
    public let id: UUID
    /// When it began.
    public let startedAt: Date
    /// When it was over; nil while it runs.
    public let endedAt: Date?
    /// Whether it mends, or only looks.
    public let repairs: Bool
    /// How many orders it compared: business keys, in other applications.
    public let orders: Int
    /// How many findings there are, of all.
    public let found: Int
    /// How many of these it mended.
    public let repaired: Int
    /// The first of them.
    public let findings: [ReconciliationFinding]
    /// Why it is not the whole truth, if it is not: a book that was away, for instance.
    public let error: String?

    /// Whether it is over, has looked at everything, and found nothing.
    public var clean: Bool { endedAt != nil && error == nil && found == 0 }

    private enum CodingKeys: CodingKey {
        case id, startedAt, endedAt, repairs, orders, found, repaired, findings, error, clean
    }

    /// As it is answered; `endedAt` is null while it runs.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id.uuidString.lowercased(), forKey: .id)
        try values.encode(startedAt, forKey: .startedAt)
        try values.encode(endedAt, forKey: .endedAt)
        try values.encode(repairs, forKey: .repairs)
        try values.encode(orders, forKey: .orders)
        try values.encode(found, forKey: .found)
        try values.encode(repaired, forKey: .repaired)
        try values.encode(findings, forKey: .findings)
        try values.encodeIfPresent(error, forKey: .error)
        try values.encode(clean, forKey: .clean)
    }

    /// The same as a table for people.
    public var text: String {
        var lines = [
            "reconciliation \(id.uuidString.lowercased()), begun \(startedAt.formatted(.iso8601)), "
                + (endedAt.map { "ended \($0.formatted(.iso8601))" } ?? "still running"),
            "orders compared: \(orders)   found: \(found)   repaired: \(repaired)   \(clean ? "clean" : "NOT CLEAN")",
        ]
        if let error { lines.append("incomplete: \(error)") }
        let rows = findings.map { finding in
            [finding.kind, finding.subject, finding.book ?? "", finding.repaired ? "repaired" : state(of: finding)]
        }
        let header = ["KIND", "KEY", "BOOK", "STATE"]
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        for (index, row) in ([header] + rows).enumerated() where !findings.isEmpty {
            let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
            let detail = index == 0 ? "DETAIL" : findings[index - 1].detail
            lines.append((cells + [detail]).joined(separator: "  "))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func state(of finding: ReconciliationFinding) -> String {
        finding.proposal == nil ? "open" : "proposal \(finding.id)"
    }
}
