import Foundation
package import SettleCore
import Tracing

// A centre keeps a message's trace among its headers: what it does about the message later is in that trace.
extension BatchTrace {
    /// Of messages of which a producer is told or asked something.
    ///
    /// - Parameter messages: their ids, and their headers as JSON.
    package static func messages(_ name: String, _ messages: [(id: String, headers: String)]) -> BatchTrace {
        guard Spans.tracer != nil else { return .none }
        let decoder = JSONDecoder()
        let traceParents = messages.map { message in
            // They were checked when they came. Of others there is nothing to show, and no harm.
            let headers = try? decoder.decode([String: String].self, from: Data(message.headers.utf8))  // ours
            return TraceHeader.checked(headers?[TraceHeader.name])
        }
        return BatchTrace(name, ofKind: .internal, traceParents: traceParents) { place in
            ["messaging.message.id": .string(messages[place].id)]
        }
    }
}
