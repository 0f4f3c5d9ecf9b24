/// Finds the keys whose entries differ between what is expected and what a book holds: by checksums of ranges first, then
/// entry by entry where these differ.
struct BookComparison: Sendable {
    let book: ReconciledBook
    let settings: ReconciliationSettings

    /// The keys that differ between the first bound and the last, at a first look.
    func suspects(between bounds: [String]) async throws -> [String] {
        let (expected, booked) = try await both { try await $0.digests(between: bounds) }
        var suspects: [String] = []
        for index in expected.indices where expected[index].sum != booked[index].sum {
            let range = LedgerRange(from: bounds[index], to: bounds[index + 1])
            suspects += try await self.suspects(in: range, lines: max(expected[index].lines, booked[index].lines))
        }
        return suspects
    }

    /// - Parameter lines: how many there are on the side that has more.
    private func suspects(in range: LedgerRange, lines: Int) async throws -> [String] {
        if lines <= settings.maxLines {
            let (expected, booked) = try await both { try await all($0, in: range) }
            return LedgerComparer.differences(expected: expected, booked: booked).map(\.key)
        }
        let bounds = range.bounds(dividedBy: 64)
        return bounds.count > 2 ? try await suspects(between: bounds) : try await suspects(in: range)
    }

    private func all(_ book: any LedgerBook, in range: LedgerRange) async throws -> [LedgerEntry] {
        var page = try await book.entries(of: range, after: nil, limit: settings.batchSize)
        var entries = page.entries
        while let next = page.next {
            page = try await book.entries(of: range, after: next, limit: settings.batchSize)
            entries += page.entries
        }
        return entries
    }

    /// The same in a range of any number of entries, page by page: those of each side are looked up at the other.
    func suspects(in range: LedgerRange) async throws -> [String] {
        var suspects: [String] = []
        for (side, other, isExpected) in [(book.expected, book.book, true), (book.book, book.expected, false)] {
            var after: String?
            repeat {
                let page = try await side.entries(of: range, after: after, limit: settings.batchSize)
                let found = try await other.entries(of: page.entries.map(\.key))
                let differences =
                    isExpected
                    ? LedgerComparer.differences(expected: page.entries, booked: found)
                    : LedgerComparer.differences(expected: found, booked: page.entries)
                // What both sides have was seen from the first one.
                suspects += differences.filter { isExpected || $0.expected.isEmpty }.map(\.key)
                after = page.next
            } while after != nil
        }
        return suspects
    }

    /// The same keys again.
    func differences(of keys: [String]) async throws -> [LedgerComparer.Difference] {
        let (expected, booked) = try await both { try await $0.entries(of: keys) }
        return LedgerComparer.differences(expected: expected, booked: booked)
    }

    /// Both sides at the same time.
    private func both<Answer: Sendable>(
        _ ask: @escaping @Sendable (any LedgerBook) async throws -> Answer
    ) async throws -> (Answer, Answer) {
        async let expected = ask(book.expected)
        async let booked = ask(book.book)
        return (try await expected, try await booked)
    }
}
