package import Tracing

extension SpanAttributes {
    /// Of a part of a global transaction.
    package static func branch(_ xid: XID, at participant: String? = nil, mode: BranchMode? = nil) -> SpanAttributes {
        var attributes: SpanAttributes = ["settle.xid": .string(xid.rawValue)]
        attributes["settle.participant"] = participant
        attributes["settle.mode"] = mode?.rawValue
        return attributes
    }

    /// Of parts of several of them.
    static func branches(_ xids: [XID]) -> SpanAttributes {
        ["settle.xid": .stringArray(xids.prefix(32).map(\.rawValue)), "settle.batch.size": .int(Int64(xids.count))]
    }
}
