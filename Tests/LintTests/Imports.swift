/// Who may import what. Nothing points up or sideways; SwiftPM alone lets transitive imports through.
enum Imports {
    /// What every Swift file may import.
    static let common = names(
        """
        Foundation FoundationEssentials Synchronization Dispatch Glibc Musl Darwin
        Logging Metrics CoreMetrics ServiceLifecycle ServiceContextModule
        """)
    static let http = names(
        """
        Hummingbird HummingbirdCore HTTPTypes NIOCore NIOPosix NIOHTTP1 NIOHTTPTypes NIOHTTPTypesHTTP1 AsyncHTTPClient
        UnixSignals
        """)
    static let clients = names("SettleCore SettlePostgres SettleRabbitMQ SettleRedis")
    static let shop =
        clients + names("Settle SettleSchema SettleHTTP SettleServiceKit ShopContract Hummingbird HTTPTypes")
    static let testing = names("Testing SettleTestSupport SettleCore")
    static let settle = clients + names("Settle SettleSchema")

    /// What the files of a folder may import beyond `common`. A folder that is not here may hold no Swift file.
    static let allowed: [String: [String]] = [
        "Shared/Base": names("Tracing Instrumentation"),
        "Shared/Postgres": names("SettleCore CSettleLibpq DequeModule Tracing"),
        "Shared/RabbitMQ": names("SettleCore CSettleRabbitMQ DequeModule"),
        "Shared/Redis": names("SettleCore CSettleHiredis"),
        "Shared/Settle": clients + names("SettleSchema Tracing Instrumentation"),
        "Shared/ServiceKit": http + names("SettleCore Configuration Tracing Instrumentation"),
        "Shared/SettleHTTP": clients + names("Settle SettleServiceKit Hummingbird HTTPTypes NIOCore Tracing"),
        "Shared/SettleTesting": clients + names("Settle"),
        "Shared/Conformance": names("Hummingbird HTTPTypes NIOCore NIOHTTP1 AsyncHTTPClient"),
        "Shared/ConformanceCommand": names("SettleConformance ArgumentParser"),
        "Shared/OperatorCommand": names("SettleServiceKit ArgumentParser AsyncHTTPClient NIOCore NIOHTTP1"),
        "Shared/ShopContract": names("SettleCore Settle SettleServiceKit Hummingbird"),
        "Shared/SchemaCommand": names("SettlePostgres SettleSchema ArgumentParser"),
        "sql/settle": ["SettlePostgres"],
        "sql/order": ["SettlePostgres"],
        "sql/stock": ["SettlePostgres"],
        "sql/user-points": ["SettlePostgres"],
        "sql/message-centre": ["SettlePostgres"],
        "Services/Order": shop + ["ShopOrderSchema"],
        "Services/Stock": shop + ["ShopStockSchema"],
        "Services/UserPoints": shop + ["ShopPointsSchema"],
        "Services/MessageCentre": shop + ["ShopCentreSchema"],
        "Services/FaultAgent": names(
            "SettleCore Settle SettleHTTP SettleServiceKit ShopContract Hummingbird HTTPTypes NIOCore NIOPosix"),
        "Tests/LintTests": ["Testing"],
        "Tests/BaseTests": testing,
        "Tests/PostgresTests": testing + names("SettlePostgres MetricsTestKit"),
        "Tests/RabbitMQTests": testing + names("SettleRabbitMQ"),
        "Tests/RedisTests": testing + names("SettleRedis"),
        "Tests/SchemaCommandTests": testing + names("SettlePostgres SettleSchema SettleSchemaCommand ArgumentParser"),
        "Tests/OperatorCommandTests": testing + names("SettleOperatorCommand SettleServiceKit ArgumentParser"),
        "Tests/SettleATTests": testing + settle,
        "Tests/SettleTests": testing + settle + names("SettlePostgresTestSupport Tracing Instrumentation"),
        "Tests/TestSupport": names("SettleCore"),
        "Tests/PostgresTestSupport": names("SettlePostgres SettleTestSupport"),
        "Tests/HTTPTestSupport": http
            + names("SettleTestSupport SettleCore SettleServiceKit HummingbirdTesting Instrumentation"),
        "Tests/LoadTool": names("SettleCore SettlePostgres SettleRabbitMQ SettleTestSupport ArgumentParser"),
        "Tests/LoadToolTests": testing + names("SettleLoadTool"),
        "Tests/ServiceKitTests": testing + http
            + names(
                """
                SettleHTTPTestSupport SettleServiceKit NIOEmbedded HummingbirdTesting Configuration Tracing
                Instrumentation
                """),
        "Tests/SettleHTTPTests": testing + settle + http
            + names("SettleHTTPTestSupport SettleHTTP SettleServiceKit HummingbirdTesting"),
        "Tests/ConformanceTests": testing + http + names("SettleHTTPTestSupport SettleConformance"),
        "Tests/SettleTestingTests": testing + settle
            + names("SettleTesting ShopContract ShopStock ShopStockSchema ShopUserPoints ShopPointsSchema"),
        "Tests/ShopTests": testing
            + names(
                """
                SettleHTTPTestSupport SettlePostgresTestSupport Settle SettlePostgres SettleSchema SettleServiceKit
                ShopContract ShopOrder ShopOrderSchema ShopStock ShopStockSchema ShopUserPoints ShopPointsSchema
                ShopMessageCentre ShopFaultAgent ShopCentreSchema SettleHTTP SettleRabbitMQ SettleRedis Hummingbird
                HummingbirdTesting
                """),
        "Tests/SuiteTests": testing + clients,
    ]

    static func findings(in tree: SourceTree) -> [String] {
        tree.swiftFolders.flatMap { folder -> [String] in
            guard let own = allowed[folder] else { return ["\(folder): no import rule for this folder; add one"] }
            return tree.lines(below: [folder], ending: ".swift").compactMap { line in
                guard let module = module(of: line.text), !common.contains(module), !own.contains(module) else {
                    return nil
                }
                return "\(line.place): must not import \(module)"
            }
        }
    }

    /// The module that a line imports, whatever attributes, access level and kind the import has.
    static func module(of line: Substring) -> String? {
        guard line.contains("import") else { return nil }
        let statement =
            #/
            ^\s*(?:[@a-z_]+(?:\([A-Za-z_]*\))?\s+)*import\s+
            (?:(?:typealias|struct|class|enum|protocol|let|var|func|actor)\s+)?([A-Za-z0-9_]+)
            /#
        return line.firstMatch(of: statement).map { String($0.1) }
    }

    private static func names(_ text: String) -> [String] { text.split { $0 == " " || $0 == "\n" }.map(String.init) }
}
