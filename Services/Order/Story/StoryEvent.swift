import Foundation
import Settle
import SettleServiceKit
import ShopContract

/// One thing that happened to an order, somewhere.
struct StoryEvent: Encodable, Sendable, Equatable {
    let at: Date
    /// Who has it in its database.
    let service: String
    /// One of few words; see docs/operating.md.
    let what: String
    let detail: String
}

/// Where the order goes from here: what has happened already is an event.
struct StoryStep: Encodable, Sendable, Equatable {
    let service: String
    let what: String
    let detail: String
}

// What each record says of the order. Pure.
extension StoryEvent {
    static func placed(_ order: Order) -> StoryEvent {
        StoryEvent(
            at: order.createdAt, service: ShopServices.order.name, what: "placed",
            detail: "\(order.userName), \(order.items.count) items, total \(order.total)")
    }

    static func decision(_ record: DecisionRecord) -> [StoryEvent] {
        let service = ShopServices.order.name
        var events = [
            StoryEvent(at: record.createdAt, service: service, what: "decided", detail: record.decision.rawValue)
        ]
        if let at = record.acknowledgedAt {
            events.append(
                StoryEvent(at: at, service: service, what: "acknowledged", detail: "every participant has confirmed"))
        }
        return events
    }

    static func branch(_ record: BranchLine, of service: String) -> [StoryEvent] {
        let part = [
            record.action ?? "no action", record.mode.map { "mode \($0)" },
            record.branch.flatMap { $0 == BranchID.first.rawValue ? nil : "branch \($0)" },
        ].compactMap(\.self).joined(separator: ", ")
        var events = [StoryEvent(at: record.createdAt, service: service, what: "branch", detail: part)]
        if let at = record.endedAt {
            events.append(StoryEvent(at: at, service: service, what: record.state, detail: part))
        }
        return events
    }

    static func task(_ record: TaskRecord) -> [StoryEvent] {
        step(
            "task", record.taskType, record.status, attempts: record.attempts, from: record.createTime,
            to: record.deleteTime, error: record.errormsg)
    }

    static func message(_ record: MessageRecord) -> [StoryEvent] {
        step(
            "message", record.type, record.status, attempts: record.attempts, from: record.createTime,
            to: record.deleteTime, error: record.errormsg)
    }

    private static func step(
        _ kind: String, _ type: String, _ status: String, attempts: Int, from: Int64, to: Int64?, error: String?
    ) -> [StoryEvent] {
        let service = ShopServices.order.name
        var events = [StoryEvent(at: Date(milliseconds: from), service: service, what: kind, detail: type)]
        if let to {
            let detail = [type, attempts > 1 ? "\(attempts) attempts" : nil, error].compactMap(\.self)
                .joined(separator: ", ")
            events.append(
                StoryEvent(at: Date(milliseconds: to), service: service, what: status, detail: detail))
        }
        return events
    }
}

extension StoryStep {
    /// Nil for one that is done.
    static func branch(_ record: BranchLine, of service: String) -> StoryStep? {
        guard record.endedAt == nil else { return nil }
        return StoryStep(
            service: service, what: record.state,
            detail: record.errormsg ?? "the branch waits for its decision, asked \(record.checks) times")
    }

    static func task(_ record: TaskRecord) -> StoryStep? {
        open(record.taskType, record.status, record.attempts, record.errormsg, isDone: record.deleteTime != nil)
    }

    static func message(_ record: MessageRecord) -> StoryStep? {
        open(record.type, record.status, record.attempts, record.errormsg, isDone: record.deleteTime != nil)
    }

    private static func open(
        _ type: String, _ status: String, _ attempts: Int, _ error: String?, isDone: Bool
    ) -> StoryStep? {
        guard !isDone else { return nil }
        let detail = [type, "\(attempts) attempts", error].compactMap(\.self).joined(separator: ", ")
        return StoryStep(service: ShopServices.order.name, what: status, detail: detail)
    }
}

extension Date {
    fileprivate init(milliseconds: Int64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1000) }
}
