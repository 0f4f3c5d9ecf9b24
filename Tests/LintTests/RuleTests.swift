import Testing

@Suite("Rules that the compiler does not check")
struct RuleTests {
    @Test("the project keeps them", arguments: Rule.allCases)
    func kept(rule: Rule) throws {
        let tree = try SourceTree.project()
        #expect(tree.files.count > 300, "the project is not where it is looked for")
        let findings = rule.findings(in: tree)
        #expect(findings.isEmpty, "\(findings.joined(separator: "\n"))")
    }

    /// A rule, a file with a text that breaks it, and what the finding names.
    struct Breach: CustomTestStringConvertible, Sendable {
        let rule: Rule
        let path: String
        let text: String
        let named: String

        init(_ rule: Rule, _ path: String, _ text: String, named: String? = nil) {
            (self.rule, self.path, self.text, self.named) = (rule, path, text, named ?? path)
        }

        var testDescription: String { "\(rule) in \(path): \(text)" }
    }

    static let breaches = [
        Breach(.imports, "Shared/Settle/A.swift", "import Hummingbird"),
        Breach(.imports, "Shared/Settle/A.swift", "public import AsyncHTTPClient"),
        Breach(.imports, "Shared/Settle/A.swift", "import SettleServiceKit"),
        Breach(.imports, "Shared/Redis/A.swift", "@_spi(Tests) internal import CSettleLibpq"),
        Breach(.imports, "Shared/Base/A.swift", "  import struct SettlePostgres.PostgresRows"),
        Breach(.imports, "Shared/ServiceKit/A.swift", "import CSettleHiredis"),
        Breach(.imports, "Services/Order/A.swift", "import ShopStock"),
        Breach(.imports, "Services/Order/Sub/A.swift", "@preconcurrency import CSettleRabbitMQ"),
        Breach(.imports, "Tests/PostgresTests/A.swift", "@testable import Settle"),
        Breach(.imports, "sql/order/A.swift", "import ShopOrder"),
        Breach(.imports, "Shared/Unlisted/A.swift", "let a = 1", named: "Shared/Unlisted"),
        Breach(.targets, "Tests/LostTests/A.swift", "let a = 1", named: "Tests/LostTests"),
        Breach(.targets, "Shared/Lost/Sub/A.swift", "let a = 1", named: "Shared/Lost"),
        Breach(.keysAreBytes, "Services/Stock/A.swift", "var skus: Set<String> = []"),
        Breach(.stores, "Shared/Settle/A.swift", #""SELECT 1 FROM settle.branch WHERE true""#),
        Breach(.stores, "Shared/Settle/TaskStore.swift", #""DELETE FROM task""#),
        Breach(.servicesAreSafe, "Services/Stock/A.swift", "let a = unsafe b"),
        Breach(.servicesAreSafe, "Services/Stock/A.swift", "final class A: @unchecked Sendable {}"),
        Breach(.servicesAreSafe, "Services/Stock/A.swift", "@preconcurrency import SettleCore"),
        Breach(.servicesAreSafe, "Services/Stock/A.swift", "nonisolated(unsafe) var a = 1"),
        Breach(.servicesAreSafe, "Services/Stock/A.swift", "func a(_ b: UnsafeRawPointer) {}"),
        Breach(.tokensAreHidden, "scripts/a", #"curl -H "Authorization: Bearer $token" localhost"#),
        Breach(.tokensAreHidden, "docs/a.md", #"curl -sH "Authorization: Bearer $SETTLE_TOKEN" localhost"#),
        Breach(.routes, "Services/Stock/A.swift", #"guarded.put("a/:b") {"#, named: "PUT /a/{b}"),
        Breach(.snippets, "docs/a.md", "<!-- from Examples/A.swift -->\n```swift\nlet a = 1\n```"),
    ]

    @Test("each notices who breaks it", arguments: breaches)
    func noticed(breach: Breach) {
        var tree = SourceTree(files: ["Package.swift": "// swift-tools-version: 6.2"])
        #expect(breach.rule.findings(in: tree) == [])
        tree.files[breach.path] = breach.text + "\n"
        #expect(breach.rule.findings(in: tree).contains { $0.contains(breach.named) })
    }

    @Test("what keeps them is not named", arguments: Rule.allCases)
    func silent(rule: Rule) {
        let tree = SourceTree(files: [
            "Package.swift": #"service("Stock", tests("Postgres","#,
            "Services/Stock/A.swift": [
                "import Settle", "let a: [String: Int] = [:]  // ours", "// unsafe", #"open.get("a/:b")"#,
            ].joined(separator: "\n"),
            "Tests/PostgresTests/A.swift": "@testable import SettlePostgres",
            "docs/security.md": "| `GET /a/{b}` | anyone |",
            "docs/a.md": "<!-- from Services/Stock/A.swift -->\n```swift\nimport Settle\n```\nanything",
            "scripts/a": #"curl -H "@$headers" localhost"#,
        ])
        #expect(rule.findings(in: tree) == [])
    }
}
