import SettleServiceKit
import Testing

@Suite("Addresses of services")
struct AddressTests {
    @Test(
        "one form for all that mean the same",
        arguments: [
            ("http://order:8080", "http://order:8080"), ("HTTP://Order:8080/", "http://order:8080"),
            ("http://order:80//", "http://order"), ("https://order:443/a/", "https://order/a"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://127.0.0.1:65535/Base/path", "http://127.0.0.1:65535/Base/path"),
        ])
    func form(text: String, expected: String) throws {
        #expect(BaseURL(text)?.description == expected)
        #expect(BaseURL(text) == BaseURL(expected))
    }

    @Test(
        "what cannot be called is refused, and nothing traps",
        arguments: [
            "", "order", "order:8080", "http:", "http://", "http:///a", "://order", "ftp://order", "http://order:",
            "http://order:0",
            "http://order:65536", "http://order:99999999999999999999", "http://order:-1", "http://order:8o",
            "http://order:٨٠", "http://or der", "http://order /", "http://order/a b", "http://order?a=b",
            "http://order/a?b",
            "http://order#a", "http://me@order", "http://me:secret@order", "http://ördér", "http://[::1",
            "http://[]:80",
            "http://[order]", "http://::1", "http://order:80:80", "http://order\n", "http://order\0", "http://order\\a",
            "http://%zz", "http://order/\u{301}",
        ])
    func refused(text: String) {
        #expect(BaseURL(text) == nil)
    }

    private struct Values {
        var initiators: ServiceDirectory?
    }

    private static let table = SettingsTable(
        Values(), [.services("initiators", \.initiators, whenUnset: "order=$ORDER_URL", "Of a test.")])

    private func directory(_ text: String?) throws -> ServiceDirectory {
        let reader = SettingsReader(environment: text.map { ["INITIATORS": $0] } ?? [:])
        let url = try #require(BaseURL("http://order:8080"))
        return try Self.table.read(reader).initiators ?? ServiceDirectory([("order", url)])
    }

    @Test("a service is known by its name and by its address, however that is written")
    func known() throws {
        let directory = try directory(nil)
        for text in ["order", "http://order:8080", "http://ORDER:8080/", "HTTP://order:8080"] {
            #expect(directory.name(of: text) == "order", "\(text)")
        }
        for text in [
            "Order", "", "http://order:8081", "https://order:8080", "http://order:8080/a", "stock",
            "http://order:8080 ",
        ] {
            #expect(directory.name(of: text) == nil, "\(text)")
        }
        #expect(directory.url(of: "order")?.description == "http://order:8080")
        #expect(directory.url(of: "http://order:8080") == nil)
    }

    @Test("a list of them; a name that comes again adds an earlier address, which is known and not called")
    func list() throws {
        let directory = try directory("order=http://new:1/, billing = https://billing.example/a ,order=http://old:1")
        #expect(directory.url(of: "order")?.description == "http://new:1")
        #expect(directory.url(of: "billing")?.description == "https://billing.example/a")
        #expect(directory.name(of: "http://OLD:1/") == "order")
        #expect(directory.name(of: "http://new:1") == "order")
        #expect(directory.name(of: "http://order:8080") == nil, "the list takes the default's place")
    }

    @Test(
        "a list that is wrong is refused, without its values",
        arguments: [
            "order", "order=", "=http://a", "order=http://a:65536", "order=http://a,", ",", "or der=http://a",
            "order=a=b",
            "order=http://hunter2@a", "a=http://x,b=http://X/", String(repeating: "a", count: 33) + "=http://a",
            "a:b=http://a",
        ])
    func wrong(text: String) {
        let error = #expect(throws: SettingsError.self) { try directory(text) }
        #expect(error?.name == "INITIATORS")
        #expect(error?.description.contains("hunter2") == false)
        #expect(error?.description.contains("\n") == false)
    }
}
