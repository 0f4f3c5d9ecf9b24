import Foundation
package import Logging
package import ServiceLifecycle

/// Keeps a test's own output readable: says nothing below the level that `LOG_LEVEL` names, and without it nothing at all.
package let quiet: Logger = {
    guard let level = ProcessInfo.processInfo.environment["LOG_LEVEL"].flatMap({ Logger.Level(rawValue: $0) }) else {
        return Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    }
    var logger = Logger(label: "test")
    logger.logLevel = level
    return logger
}()

/// Runs `services` beside `body`; stops them gracefully at the end, the last one first.
package func serving<Result: Sendable>(
    _ services: [any Service], _ body: () async throws -> Result
) async throws -> Result {
    var configuration = ServiceGroupConfiguration(services: services, logger: quiet)
    configuration.maximumGracefulShutdownDuration = .seconds(30)
    let group = ServiceGroup(configuration: configuration)
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        return try result.get()
    }
}
