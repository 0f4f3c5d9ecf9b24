package import Tracing

extension SpanAttributes {
    /// Of a part of a global transaction.
    package static func branch(_ xid: XID, at participant: String? = nil) -> SpanAttributes {
        var attributes: SpanAttributes = ["settle.xid": .string(xid.rawValue)]
        attributes["settle.participant"] = participant
        return attributes
    }

    /// Of the call of an action, as its headers have it.
    package static func branch(_ xid: XID?, action: String, mode: String?) -> SpanAttributes {
        var attributes: SpanAttributes = ["settle.action": .string(action)]
        attributes["settle.xid"] = xid?.rawValue
        attributes["settle.mode"] = mode
        return attributes
    }

    /// Of parts of several of them.
    static func branches(_ xids: [XID]) -> SpanAttributes {
        ["settle.xid": .stringArray(xids.prefix(32).map(\.rawValue)), "settle.batch.size": .int(Int64(xids.count))]
    }
}
