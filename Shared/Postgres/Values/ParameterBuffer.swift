/// The parameters of one statement as libpq wants them: NUL-terminated texts, one after the other in one buffer
/// that is reused from statement to statement.
struct ParameterBuffer {
    private var bytes: [UInt8] = []
    /// Where each text starts; `nil` is SQL NULL.
    private var offsets: [Int?] = []

    /// More than this is not kept from one pipeline to the next.
    private static let kept = 1024 * 1024

    /// How many bytes it holds on to.
    var capacity: Int { bytes.capacity }

    /// Gives back what a large statement made it take.
    mutating func shrink() {
        guard bytes.capacity > Self.kept else { return }
        bytes = []
        offsets = []
    }

    /// How many bytes are in the buffer.
    var count: Int { bytes.count }

    /// Replaces what is in the buffer by `values`, which have been validated.
    mutating func fill(_ values: [PostgresValue]) {
        bytes.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        for value in values {
            if case .null = value {
                offsets.append(nil)
                continue
            }
            offsets.append(bytes.count)
            value.write(to: &bytes)
            bytes.append(0)
        }
    }

    /// Lends the texts; the pointers are valid inside `body` only.
    func withPointers<R>(_ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> R) -> R {
        // Safe: `bytes` is neither changed nor freed inside the closure, and each offset lies inside it.
        unsafe bytes.withUnsafeBufferPointer { bytes in
            let base = unsafe UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            return unsafe withUnsafeTemporaryAllocation(
                of: UnsafePointer<CChar>?.self, capacity: offsets.count
            ) { pointers in
                for index in offsets.indices {
                    let pointer = unsafe offsets[index].flatMap { offset in unsafe base.map { unsafe $0 + offset } }
                    unsafe pointers.initializeElement(at: index, to: pointer)
                }
                return unsafe body(Int32(offsets.count), UnsafePointer(pointers.baseAddress))
            }
        }
    }
}
