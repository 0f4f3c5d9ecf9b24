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
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "settle",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Settle", targets: ["Settle"]),
        .executable(name: "order", targets: ["Order"]),
        .executable(name: "stock", targets: ["Stock"]),
        .executable(name: "user-points", targets: ["UserPoints"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
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
        .systemLibrary(name: "CLibpq", path: "Shared/CLibpq"),
        .systemLibrary(name: "CHiredis", path: "Shared/CHiredis"),
        .target(name: "CRabbitMQ", path: "Shared/CRabbitMQ", linkerSettings: [.linkedLibrary("rabbitmq")]),

        // What the modules above it share: threads that may block, back-off, batching, waiting.
        .target(name: "Base", path: "Shared/Base", swiftSettings: strict),
        .target(
            name: "Postgres", dependencies: ["Base", "CLibpq", logging, metrics, lifecycle], path: "Shared/Postgres",
            swiftSettings: strict),
        .target(
            name: "RabbitMQ", dependencies: ["Base", "CRabbitMQ", logging, metrics, lifecycle],
            path: "Shared/RabbitMQ", swiftSettings: strict),
        .target(
            name: "Redis", dependencies: ["Base", "CHiredis", logging, metrics, lifecycle], path: "Shared/Redis",
            swiftSettings: strict),

        // The common module.
        .target(
            name: "Settle",
            dependencies: [
                "Base", "Postgres", "RabbitMQ", "Redis", "SettleSchema", logging, metrics, tracing, lifecycle,
            ],
            path: "Shared/Settle", swiftSettings: strict),
        .target(
            name: "ServiceKit",
            dependencies: [
                "Base", "Postgres", "RabbitMQ", "Redis", "Settle", logging, metrics, tracing, lifecycle,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Shared/ServiceKit", swiftSettings: strict),

        // The migrations, carried inside the binaries.
        schema(
            "SettleSchema", path: "sql/settle",
            [
                "settle_0001_tasks", "settle_0002_transactions", "settle_0003_at", "settle_0004_at_enroll",
                "settle_0005_at_reading", "settle_0006_at_rollback", "settle_0007_set_aside",
                "settle_0008_purge_and_names", "settle_0009_deadlines", "settle_0010_at_capture",
                "settle_0011_at_obstacles", "settle_0012_at_checks",
            ]),
        schema("OrderSchema", path: "sql/order", ["order_0001_orders"]),
        schema("StockSchema", path: "sql/stock", ["stock_0001_products", "stock_0002_enroll"]),
        schema(
            "PointsSchema", path: "sql/user-points",
            ["points_0001_users", "points_0002_spending", "points_0004_customers"]),

        // What the three services say to each other.
        .target(name: "ShopContract", dependencies: ["Settle"], path: "Shared/ShopContract", swiftSettings: strict),

        service("Order", schema: "OrderSchema"),
        service("Stock", schema: "StockSchema"),
        service("UserPoints", schema: "PointsSchema"),

        tests("Base", []),
        tests("Postgres", ["Base", lifecycle, .product(name: "MetricsTestKit", package: "swift-metrics")]),
        tests("RabbitMQ", ["Base", metrics, lifecycle]),
        tests("Redis", [metrics, lifecycle]),
        tests("Settle", ["Base", "Postgres", "RabbitMQ", "Redis", "SettleSchema", lifecycle]),
        .testTarget(
            name: "SettleATTests", dependencies: ["Base", "Postgres", "SettleSchema", logging, lifecycle],
            path: "Tests/SettleATTests", swiftSettings: strict),
        tests(
            "ServiceKit",
            [
                "Base", "Postgres", "Settle", "SettleSchema", metrics, tracing, lifecycle,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .testTarget(
            name: "SuiteTests", dependencies: ["Base", "Postgres", "RabbitMQ", "Redis", lifecycle, logging],
            path: "Tests/SuiteTests", swiftSettings: strict),
    ]
)

func schema(_ name: String, path: String, _ files: [String]) -> Target {
    .target(
        name: name, dependencies: ["Postgres"], path: path, resources: files.map { .embedInCode("\($0).sql") },
        swiftSettings: strict)
}

func service(_ name: String, schema: Target.Dependency) -> Target {
    .executableTarget(
        name: name,
        dependencies: [
            "Base", "Postgres", "RabbitMQ", "Redis", "Settle", "ServiceKit", "SettleSchema", "ShopContract", schema,
            logging, metrics, lifecycle,
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "Hummingbird", package: "hummingbird"),
        ],
        path: "Services/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ more: [Target.Dependency]) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name), logging] + more, path: "Tests/\(name)Tests",
        swiftSettings: strict)
}
