import ArgumentParser
import Foundation
import Instrumentation
import Logging
import Metrics
public import ServiceLifecycle
import UnixSignals

/// What stands around every service: settings, logging, metrics, tracing, signals, exit codes.
public enum ServiceMain {
    /// `EX_CONFIG` of sysexits.h.
    static let configurationExitCode: Int32 = 78
    /// A container is killed ten seconds after SIGTERM: what is left then is better ended by ourselves.
    static let gracefulShutdown: Duration = .seconds(8)
    static let cancellation: Duration = .seconds(1)

    /// Runs a service until SIGTERM or SIGINT, once per process; with `--health`, asks the one that runs.
    ///
    /// - Parameters:
    ///   - peers: services that this one may call.
    ///   - flags: the service's own flags by name, for ``SettingsReader``.
    ///   - build: puts the service together. The services it returns start in this order and stop in the reverse one:
    ///     databases first, HTTP last.
    /// - Throws: `ExitCode` 78 when a setting is missing or wrong, said in one line on standard error; 1 when a service
    ///   failed, which is logged.
    public static func run(
        _ name: String, defaultPort: Int, peers: [PeerService] = [], options: CommonOptions,
        flags: [String: String?] = [:], build: (Bootstrap) async throws -> [any Service]
    ) async throws {
        do {
            let reader = SettingsReader(flags: options.flags.merging(flags) { $1 })
            if options.health { return try await printHealth(HealthQuery(reader, defaultPort: defaultPort)) }
            let settings = try Settings(reader, defaultPort: defaultPort, peers: peers)
            try await ListenAddress(host: settings.httpHost, port: settings.httpPort).check()
            let bootstrap = bootstrap(name, reader, settings)
            try await serve(try await build(bootstrap), logger: bootstrap.logger)
        } catch let error as SettingsError {
            FileHandle.standardError.write(Data("\(name): \(error)\n".utf8))
            throw ExitCode(configurationExitCode)
        }
    }

    private static func printHealth(_ query: HealthQuery) async throws {
        do throws(HealthQuery.Unready) {
            print(try await query.answer())
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            throw ExitCode.failure
        }
    }

    private static func bootstrap(_ name: String, _ reader: SettingsReader, _ settings: Settings) -> Bootstrap {
        let metrics = PrometheusMetrics()
        let level = settings.logLevel
        LoggingSystem.bootstrap(
            { label, provider in
                var handler = StreamLogHandler.standardError(label: label, metadataProvider: provider)
                handler.logLevel = level
                return EscapingLogHandler(handler)
            }, metadataProvider: .traceID)
        MetricsSystem.bootstrap(metrics)
        InstrumentationSystem.bootstrap(W3CTraceContext())
        return Bootstrap(
            name: name, settings: settings, reader: reader, logger: Logger(label: name), metrics: metrics)
    }

    private static func serve(_ services: [any Service], logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = gracefulShutdown
        configuration.maximumCancellationDuration = cancellation
        do {
            try await ServiceGroup(configuration: configuration).run()
            logger.info("stopped")
        } catch {
            logger.critical("the service failed", metadata: ["error": "\(error)"])
            throw ExitCode.failure
        }
    }
}
