// swift-tools-version: 6.2
import PackageDescription

/// The same for every Swift target: what the compiler can check, it checks, and a warning is an error.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "settle",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Settle", targets: ["Settle", "SettleSchema"]),
        .library(name: "SettleHTTP", targets: ["SettleHTTP", "SettleServiceKit"]),
        .library(name: "SettlePostgres", targets: ["SettlePostgres", "SettleCore"]),
        .library(name: "SettleRabbitMQ", targets: ["SettleRabbitMQ", "SettleCore"]),
        .library(name: "SettleRedis", targets: ["SettleRedis", "SettleCore"]),
        .library(name: "SettleTesting", targets: ["SettleTesting"]),
        .library(name: "SettleConformance", targets: ["SettleConformance"]),
        .executable(name: "settle", targets: ["SettleOperatorCommand"]),
        .executable(name: "settle-conformance", targets: ["SettleConformanceCommand"]),
        .executable(name: "settle-schema", targets: ["SettleSchemaCommand"]),
        .executable(name: "order", targets: ["ShopOrder"]),
        .executable(name: "stock", targets: ["ShopStock"]),
        .executable(name: "user-points", targets: ["ShopUserPoints"]),
        .executable(name: "message-centre", targets: ["ShopMessageCentre"]),
        .executable(name: "fault-agent", targets: ["ShopFaultAgent"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.81.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.25.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.16.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.26.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
    ],
    targets: [
        // The C libraries: a module map and a shim each, imported by exactly one Swift module each.
        .systemLibrary(name: "CSettleLibpq", path: "Shared/CLibpq"),
        .systemLibrary(name: "CSettleHiredis", path: "Shared/CHiredis"),
        .target(name: "CSettleRabbitMQ", path: "Shared/CRabbitMQ", linkerSettings: [.linkedLibrary("rabbitmq")]),

        // What the modules above it share: threads that may block, back-off, batching, waiting.
        .target(
            name: "SettleCore",
            dependencies: [tracing],
            path: "Shared/Base", swiftSettings: strict),
        .target(
            name: "SettlePostgres",
            dependencies: ["SettleCore", "CSettleLibpq", deque, logging, metrics, tracing, lifecycle],
            path: "Shared/Postgres",
            swiftSettings: strict),
        .target(
            name: "SettleRabbitMQ",
            dependencies: ["SettleCore", "CSettleRabbitMQ", deque, logging, metrics, lifecycle],
            path: "Shared/RabbitMQ", swiftSettings: strict),
        .target(
            name: "SettleRedis", dependencies: ["SettleCore", "CSettleHiredis", logging, metrics, lifecycle],
            path: "Shared/Redis",
            swiftSettings: strict),

        // The common module.
        .target(
            name: "Settle",
            dependencies: [
                "SettleCore", "SettlePostgres", "SettleRabbitMQ", "SettleRedis", "SettleSchema", logging, metrics,
                tracing, lifecycle,
            ],
            path: "Shared/Settle", swiftSettings: strict),
        // What a service needs around it, and nothing of Settle: HTTP both ways, settings, health, metrics, tracing.
        .target(
            name: "SettleServiceKit",
            dependencies: [
                "SettleCore", logging, metrics, tracing, lifecycle, asyncHTTPClient, httpTypes,
                hummingbird,
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Shared/ServiceKit", swiftSettings: strict),

        // Settle by HTTP: the routes of initiators, participants and operators, and the clients that call them.
        .target(
            name: "SettleHTTP",
            dependencies: [
                "SettleCore", "SettlePostgres", "SettleRabbitMQ", "SettleRedis", "Settle", "SettleServiceKit", logging,
                tracing, lifecycle, httpTypes, hummingbird,
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Shared/SettleHTTP", swiftSettings: strict),

        // For users' tests: senders, receivers and peers in memory, and checks of their own code.
        .target(
            name: "SettleTesting",
            dependencies: [
                "SettleCore", "SettlePostgres", "SettleRabbitMQ", "Settle", logging, lifecycle,
            ],
            path: "Shared/SettleTesting", swiftSettings: strict),
        // docs/wire-protocol.md as questions to a running service. It shares nothing with Settle but that page.
        .target(
            name: "SettleConformance",
            dependencies: [
                logging, asyncHTTPClient, hummingbird, httpTypes, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "Shared/Conformance", swiftSettings: strict),
        .executableTarget(
            name: "SettleConformanceCommand", dependencies: ["SettleConformance", argumentParser],
            path: "Shared/ConformanceCommand", swiftSettings: strict),

        // What an operator asks of a running service.
        .executableTarget(
            name: "SettleOperatorCommand",
            dependencies: [
                "SettleServiceKit", argumentParser, asyncHTTPClient,
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "Shared/OperatorCommand", swiftSettings: strict),

        // The migrations, carried inside the binaries.
        schema(
            "SettleSchema", path: "sql/settle",
            [
                "settle_0001_tasks", "settle_0002_transactions", "settle_0003_at", "settle_0004_at_enroll",
                "settle_0005_at_reading", "settle_0006_at_rollback", "settle_0007_set_aside",
                "settle_0008_purge_and_names", "settle_0009_deadlines", "settle_0010_at_capture",
                "settle_0011_at_obstacles", "settle_0012_at_checks", "settle_0013_inbox", "settle_0014_foreign_xids",
                "settle_0015_messages", "settle_0016_ledger", "settle_0017_reconciliation",
                "settle_0018_branches", "settle_0019_task_options", "settle_0025_branch_key",
                "settle_0026_branch_refusal",
            ]),
        // Writes them as files for other tools.
        .executableTarget(
            name: "SettleSchemaCommand", dependencies: ["SettlePostgres", "SettleSchema", argumentParser],
            path: "Shared/SchemaCommand", swiftSettings: strict),
        schema("ShopOrderSchema", path: "sql/order", ["order_0001_orders"]),
        schema(
            "ShopStockSchema", path: "sql/stock",
            ["stock_0001_products", "stock_0002_enroll", "stock_0003_ledger", "stock_0004_flash"]),
        schema(
            "ShopPointsSchema", path: "sql/user-points",
            ["points_0001_users", "points_0002_spending", "points_0004_customers", "points_0005_ledger"]),
        schema("ShopCentreSchema", path: "sql/message-centre", ["centre_0001_messages"]),

        // What the services say to each other.
        .target(
            name: "ShopContract", dependencies: ["Settle", "SettleServiceKit", hummingbird],
            path: "Shared/ShopContract", swiftSettings: strict),

        service(
            "Order", schema: "ShopOrderSchema",
            embedding: ["index.html", "dashboard.css", "dashboard.js", "faults.js"].map { "Dashboard/page/\($0)" }),
        service("Stock", schema: "ShopStockSchema"),
        service("UserPoints", schema: "ShopPointsSchema"),
        service("MessageCentre", schema: "ShopCentreSchema"),
        // Breaks the others on demand, for demonstrations.
        .executableTarget(
            name: "ShopFaultAgent",
            dependencies: [
                "SettleCore", "Settle", "SettleHTTP", "SettleServiceKit", "ShopContract", logging, lifecycle,
                hummingbird, httpTypes, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Services/FaultAgent", swiftSettings: strict),

        // What the tests of all modules share: services run beside a test, servers of a test's own, the load client.
        .target(
            name: "SettleTestSupport", dependencies: ["SettleCore", logging, lifecycle], path: "Tests/TestSupport",
            swiftSettings: strict),
        // What those of statements share: how they are planned, and what they cost.
        .target(
            name: "SettlePostgresTestSupport", dependencies: ["SettlePostgres", "SettleTestSupport", logging],
            path: "Tests/PostgresTestSupport", swiftSettings: strict),
        // What those of HTTP share.
        .target(
            name: "SettleHTTPTestSupport",
            dependencies: [
                "SettleCore", "SettleServiceKit", "SettleTestSupport", logging, tracing, lifecycle, hummingbird,
                httpTypes,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/HTTPTestSupport", swiftSettings: strict),
        // Load on a running suite, from a process of its own.
        .executableTarget(
            name: "SettleLoadTool",
            dependencies: [
                "SettleCore", "SettlePostgres", "SettleRabbitMQ", "SettleTestSupport", argumentParser, logging,
                lifecycle,
            ],
            path: "Tests/LoadTool", swiftSettings: strict),

        // The rules that the compiler does not check.
        .testTarget(name: "LintTests", path: "Tests/LintTests", swiftSettings: strict),
        tests("LoadTool", of: "SettleLoadTool", ["SettleCore"]),
        tests("Base", of: "SettleCore", []),
        tests(
            "Postgres", of: "SettlePostgres",
            ["SettleCore", lifecycle, .product(name: "MetricsTestKit", package: "swift-metrics")]),
        tests("RabbitMQ", of: "SettleRabbitMQ", ["SettleCore", metrics, lifecycle]),
        tests("Redis", of: "SettleRedis", ["SettleCore", metrics, lifecycle]),
        tests(
            "Settle", of: "Settle",
            [
                "SettleCore", "SettlePostgres", "SettleRabbitMQ", "SettleRedis", "SettleSchema",
                "SettlePostgresTestSupport", lifecycle,
            ]),
        tests(
            "SchemaCommand", of: "SettleSchemaCommand", ["SettlePostgres", "SettleSchema", argumentParser, lifecycle]),
        tests("OperatorCommand", of: "SettleOperatorCommand", ["SettleServiceKit", argumentParser]),
        tests("SettleAT", of: "SettleSchema", ["SettleCore", "SettlePostgres", lifecycle]),
        tests(
            "ServiceKit", of: "SettleServiceKit",
            [
                "SettleCore", "SettleHTTPTestSupport", metrics, tracing, lifecycle, asyncHTTPClient,
                httpTypes, hummingbird,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        tests(
            "SettleHTTP", of: "SettleHTTP",
            [
                "SettleCore", "SettlePostgres", "SettleRabbitMQ", "Settle", "SettleSchema", "SettleServiceKit",
                "SettleHTTPTestSupport", lifecycle, httpTypes,
                hummingbird,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        tests(
            "Conformance", of: "SettleConformance",
            [
                "SettleHTTPTestSupport", asyncHTTPClient, httpTypes, hummingbird,
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        tests(
            "SettleTesting", of: "SettleTesting",
            [
                "SettleCore", "SettlePostgres", "SettleRabbitMQ", "SettleRedis", "Settle", "SettleSchema",
                "ShopContract",
                "ShopStock", "ShopStockSchema", "ShopUserPoints", "ShopPointsSchema", lifecycle,
            ]),
        tests(
            "Shop", of: "ShopOrder",
            [
                "Settle", "SettleServiceKit", "SettleHTTP", "SettleHTTPTestSupport", "ShopContract", "ShopStock",
                "ShopUserPoints",
                "ShopMessageCentre", "ShopFaultAgent", "ShopCentreSchema", "SettleCore", "SettleRabbitMQ",
                "SettleRedis",
                lifecycle, "SettlePostgres", "SettlePostgresTestSupport", "SettleSchema", "ShopOrderSchema",
                "ShopStockSchema",
                "ShopPointsSchema", hummingbird, .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]),
        tests(
            "Suite", of: "SettleCore", ["SettlePostgres", "SettleRabbitMQ", "SettleRedis", lifecycle]),
    ]
)

// Only for scripts/documentation: who depends on the library should not have to fetch what makes its pages.
if Context.environment["SETTLE_DOCUMENTATION"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"))
}

func schema(_ name: String, path: String, _ files: [String]) -> Target {
    .target(
        name: name, dependencies: ["SettlePostgres"], path: path, resources: files.map { .embedInCode("\($0).sql") },
        swiftSettings: strict)
}

func service(_ name: String, schema: Target.Dependency, embedding files: [String] = []) -> Target {
    .executableTarget(
        name: "Shop\(name)",
        dependencies: [
            "SettleCore", "SettlePostgres", "SettleRabbitMQ", "SettleRedis", "Settle", "SettleHTTP", "SettleServiceKit",
            "SettleSchema", "ShopContract", schema, logging, metrics, lifecycle, hummingbird, httpTypes,
        ],
        path: "Services/\(name)", resources: files.map { .embedInCode($0) }, swiftSettings: strict)
}

func tests(_ name: String, of module: String, _ more: [Target.Dependency]) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: module), "SettleTestSupport", logging] + more,
        path: "Tests/\(name)Tests",
        swiftSettings: strict)
}
