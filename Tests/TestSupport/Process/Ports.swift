import Foundation
import Synchronization

/// Free ports on loopback, below the range that outgoing connections take theirs from: a service that is down for a
/// while finds its port again.
package enum Ports {
    private static let next = Mutex(Int.random(in: 25_000..<31_000))

    package static func take() throws -> Int {
        for _ in 0..<2_000 {
            let port = next.withLock { next in
                next = next < 31_999 ? next + 1 : 25_000
                return next
            }
            if Socket.isFree(port: port) { return port }
        }
        throw NotInTime("no port is free")
    }
}
