/// A queue on an array: appends at the end, takes from the front, both in amortised constant time, and reads by offset.
struct FIFO<Element> {
    private var storage: [Element?] = []
    private var head = 0

    var count: Int { storage.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : self[0] }

    /// The element that is `offset` places from the front.
    subscript(offset: Int) -> Element {
        get {
            guard let element = storage[head + offset] else {
                preconditionFailure("only places before the head are nil")
            }
            return element
        }
        set { storage[head + offset] = newValue }
    }

    mutating func append(_ element: Element) {
        storage.append(element)
    }

    /// - Precondition: `count` is not negative and not more than there is.
    mutating func removeFirst(_ count: Int = 1) {
        precondition(0...self.count ~= count)
        // Let go of at once, not when the place is.
        for index in head..<(head + count) { storage[index] = nil }
        head += count
        if head == storage.count {
            // A burst must not hold its memory for ever.
            storage.removeAll(keepingCapacity: storage.count <= 4096)
            head = 0
        } else if head >= 64, head * 2 >= storage.count {
            storage.removeFirst(head)
            head = 0
        }
    }
}
