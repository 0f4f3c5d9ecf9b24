import Settle
import ShopContract

extension AddPoint {
    /// Throws `UnreadableMessage` when the values make no sense.
    func check() throws {
        guard (1...255).contains(orderId.unicodeScalars.count), !orderId.unicodeScalars.contains("\0") else {
            throw UnreadableMessage(description: "orderId must have 1 to 255 characters")
        }
        guard (1...64).contains(userName.unicodeScalars.count), !userName.unicodeScalars.contains("\0") else {
            throw UnreadableMessage(description: "userName must have 1 to 64 characters")
        }
        guard point >= 0 else { throw UnreadableMessage(description: "point is negative") }
    }
}
