// swift-tools-version: 6.2
// A package of its own, which depends on the library as a stranger's would.
import PackageDescription

let web: [Target.Dependency] = [
    "Contract", .product(name: "Settle", package: "settle"), .product(name: "SettleHTTP", package: "settle"),
    .product(name: "Hummingbird", package: "hummingbird"),
]

let package = Package(
    name: "examples",
    platforms: [.macOS(.v15)],
    dependencies: [
        // A stranger's package has .package(url: "https://…/settle", from: "0.1.0") here.
        .package(name: "settle", path: ".."),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.16.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    ],
    targets: [
        // What the three say to each other.
        .target(name: "Contract", dependencies: [.product(name: "Settle", package: "settle")], path: "Contract"),
        // A receiver of tasks, without HTTP.
        .executableTarget(
            name: "mailer",
            dependencies: [
                "Contract", .product(name: "Settle", package: "settle"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], path: "Mailer"),
        // A sender of tasks whose own statements go through another client.
        .executableTarget(
            name: "newsletter",
            dependencies: [
                "Contract", .product(name: "Settle", package: "settle"),
                .product(name: "SettlePostgres", package: "settle"), .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], path: "Newsletter"),
        // A sender and receiver of tasks that wait: for a time, and for each other.
        .executableTarget(
            name: "bookings",
            dependencies: [
                .product(name: "Settle", package: "settle"), .product(name: "SettlePostgres", package: "settle"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], path: "Bookings"),
        // A participant of global transactions.
        .executableTarget(name: "wallet", dependencies: web, path: "Wallet"),
        // An initiator of global transactions, and a sender of tasks.
        .executableTarget(name: "shop", dependencies: web, path: "Shop"),
    ]
)
