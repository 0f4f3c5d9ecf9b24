import SettleCore
import Instrumentation
public import Logging

extension Logger.MetadataProvider {
    /// Adds `traceId` and `spanId` to every line that is logged while a trace is current.
    public static let traceID = Logger.MetadataProvider {
        guard let traceParent = ServiceContext.current?.traceParent else { return [:] }
        return ["traceId": .string(traceParent.traceID), "spanId": .string(traceParent.spanID)]
    }
}
