import SettleHTTPTestSupport
import Testing

@testable import SettleServiceKit

@Suite("Bearer tokens")
struct BearerTokenTests {
    @Test(
        "what is no bearer token",
        arguments: [
            nil, "", "Bearer", "Bearer ", "Bearer  ", "Basic abc", "Bearerabc", " Bearer abc", "Bearer a b",
            "Bearer abc, Bearer abc", "Bearer a\tb", "Bearer abc\u{7F}", "Bearer é", "Bearer e\u{301}",
            "Bearer\u{A0}abc", "Bearer \u{301}abc", "Bearer \0", "Bearer " + String(repeating: "a", count: 513),
            "Bearer " + String(repeating: " ", count: 20_000),
        ] as [String?])
    func noToken(header: String?) {
        #expect(BearerToken.token(in: header) == nil)
    }

    @Test("what is one: the scheme in any case, up to 512 bytes")
    func token() {
        let longest = String(repeating: "a", count: 512)
        for (header, token) in [
            ("Bearer abc", "abc"), ("bearer a", "a"), ("BEARER   x-._~+/=", "x-._~+/="), ("Bearer \(longest)", longest),
        ] {
            #expect(BearerToken.token(in: header) == Array(token.utf8))
        }
    }

    @Test("a service's token is known by all of its bytes")
    func allBytes() throws {
        let operators = BearerToken(try TestService.bootstrap().settings.token)
        let token = Array(TestService.token.utf8)
        #expect(operators.accepts(token))
        for index in token.indices {
            for byte in [UInt8(ascii: "!"), token[index] ^ 1, token[index] ^ 0x20] {
                var other = token
                other[index] = byte
                #expect(!operators.accepts(other), "byte \(index)")
            }
        }
        #expect(!operators.accepts(token + token))
        #expect(!operators.accepts(Array(token.dropLast())))
        #expect(!operators.accepts([]))
    }
}
