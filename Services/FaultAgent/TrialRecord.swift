import Foundation

/// One thing that was broken, and what became of it.
struct TrialRecord: Encodable, Sendable {
    enum Phase: String, CaseIterable, Encodable, Sendable {
        /// Orders come, all is well.
        case ordering
        /// It is broken, or about to break.
        case broken
        /// What was on its way finds its end.
        case settling
        /// The books are compared.
        case comparing
        case over
    }

    let id: UUID
    let `switch`: String
    let startedAt: Date
    var phase = Phase.ordering
    /// When it broke.
    var hitAt: Date?
    /// What was on its way then.
    var inFlight: InFlight?
    var orders = Load.Counts()
    var mended: [Observation.Line] = []
    /// Seconds from the break until nothing was on its way any more.
    var settledAfter: Double?
    var books: Books?
    /// Why all is not well; with none, once it is over, it is.
    var problems: [String] = []

    /// Nil until it is over.
    var isWell: Bool? { phase == .over ? problems.isEmpty : nil }

    init(_ fault: Switch) {
        id = UUID()
        `switch` = fault.id
        startedAt = Date()
    }

    private enum CodingKeys: CodingKey {
        case id, `switch`, startedAt, phase, hitAt, inFlight, orders, mended, settledAfter, books, problems, isWell
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id.uuidString.lowercased(), forKey: .id)
        try values.encode(`switch`, forKey: .switch)
        try values.encode(startedAt, forKey: .startedAt)
        try values.encode(phase, forKey: .phase)
        try values.encodeIfPresent(hitAt, forKey: .hitAt)
        try values.encodeIfPresent(inFlight, forKey: .inFlight)
        try values.encode(orders, forKey: .orders)
        try values.encode(mended, forKey: .mended)
        try values.encodeIfPresent(settledAfter, forKey: .settledAfter)
        try values.encodeIfPresent(books, forKey: .books)
        try values.encode(problems, forKey: .problems)
        try values.encodeIfPresent(isWell, forKey: .isWell)
    }
}
