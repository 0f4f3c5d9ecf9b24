import Testing

@testable import SettlePostgres

@Suite("The cache of prepared statements")
struct StatementCacheTests {
    @Test("a text counts as prepared only once the server has said so")
    func confirmation() {
        var cache = StatementCache()
        #expect(cache.use("a") == .parse("s1"))
        // In the same pipeline the name may be used again.
        #expect(cache.use("a") == .prepared("s1"))
        cache.forgetUnconfirmed()
        #expect(cache.use("a") == .parse("s2"), "a name is never used twice")
        cache.confirm("a")
        cache.forgetUnconfirmed()
        #expect(cache.use("a") == .prepared("s2"))
        cache.forgetAll()
        #expect(cache.count == 0 && cache.use("a") == .parse("s3"), "nor is it after all were forgotten")
    }

    @Test("the least recently used leave, down to three quarters")
    func eviction() {
        var cache = StatementCache(capacity: 4)
        for text in ["a", "b", "c", "d"] {
            _ = cache.use(text)
            cache.confirm(text)
        }
        cache.forgetUnconfirmed()
        #expect(cache.evict().isEmpty)
        _ = cache.use("a")
        _ = cache.use("e")
        cache.confirm("e")
        cache.forgetUnconfirmed()
        #expect(cache.evict() == ["s2", "s3"])
        #expect(cache.count == 3)
        #expect(cache.use("a") == .prepared("s1"))
    }

    @Test("one pipeline of very many texts does not keep them all")
    func overflow() {
        var cache = StatementCache(capacity: 4)
        let uses = (0..<10).map { cache.use("\($0)") }
        #expect(uses.filter { $0 == .oneShot }.count == 2)
        #expect(cache.use("0") == .prepared("s1"))
    }
}
