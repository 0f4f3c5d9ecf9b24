import Foundation
import Instrumentation
import Logging
import Metrics
public import ServiceLifecycle
import UnixSignals

/// What stands around every service: settings, logging, metrics, tracing, signals, exit codes.
public enum ServiceMain {
    /// `EX_USAGE` and `EX_CONFIG` of sysexits.h.
    private static let usageExitCode: Int32 = 64
    private static let configurationExitCode: Int32 = 78
    /// A container is killed ten seconds after SIGTERM: what is left then is better ended by ourselves.
    static let gracefulShutdown: Duration = .seconds(8)
    static let cancellation: Duration = .seconds(1)

    /// Runs a service until SIGTERM or SIGINT, once per process, and ends the process; with `--health`, asks the one that
    /// runs.
    ///
    /// The exit code is 64 for a command line that cannot be meant and 78 for a setting that is missing or wrong, each
    /// said in one line on standard error; 1 when the service failed, which is logged.
    ///
    /// - Parameters:
    ///   - command: what the process is, and which settings it has.
    ///   - build: puts the service together. The services it returns start in this order and stop in the reverse one:
    ///     databases first, HTTP last.
    public static func run(
        _ command: ServiceCommand, build: (Bootstrap) async throws -> [any Service]
    ) async -> Never {
        do {
            switch try command.request(Array(CommandLine.arguments.dropFirst())) {
            case .help: end(saying: command.help, to: .standardOutput, EXIT_SUCCESS)
            case .health(let flags):
                let query = try HealthQuery(SettingsReader(flags: flags), defaultPort: command.port)
                end(saying: try await query.answer(), to: .standardOutput, EXIT_SUCCESS)
            case .serve(let flags): end(try await start(command, SettingsReader(flags: flags), build))
            }
        } catch let error as ServiceCommand.UsageError {
            end(saying: "\(command.name): \(error)", usageExitCode)
        } catch let error as SettingsError {
            end(saying: "\(command.name): \(error.line(among: command.settings))", configurationExitCode)
        } catch {
            end(saying: "\(error)", EXIT_FAILURE)
        }
    }

    private static func end(
        saying line: String, to file: FileHandle = .standardError, _ exitCode: Int32
    ) -> Never {
        // Who has closed it does not want to know.
        try? file.write(contentsOf: Data("\(line)\n".utf8))
        end(exitCode)
    }

    /// At once: `exit` would have OpenSSL and others free what is theirs, while threads that were at work on connections
    /// are just ending, and need it for that.
    private static func end(_ exitCode: Int32) -> Never { _exit(exitCode) }

    private static func start(
        _ command: ServiceCommand, _ reader: SettingsReader, _ build: (Bootstrap) async throws -> [any Service]
    ) async throws -> Int32 {
        let settings = try Settings(
            reader, defaultPort: command.port, peers: command.peers, usesRedis: command.usesRedis,
            usesServers: command.usesServers)
        try await settings.listenAddress.check()
        let isScheduled = settings.scheduling.apply()
        let (bootstrap, exporter) = bootstrap(command.name, reader, settings)
        if !isScheduled {
            bootstrap.logger.notice(
                "the system does not let threads be scheduled as batch work; going on without",
                metadata: ["setting": "SCHEDULING"])
        }
        let services = try await build(bootstrap)
        do {
            // What is recorded until the last of them has stopped goes out.
            try await serve((exporter.map { [$0] } ?? []) + services, logger: bootstrap.logger)
            return EXIT_SUCCESS
        } catch {
            bootstrap.logger.critical("the service failed", metadata: ["error": "\(error)"])
            return EXIT_FAILURE
        }
    }

    private static func bootstrap(_ name: String, _ reader: SettingsReader, _ settings: Settings) -> (
        Bootstrap, SpanExporter?
    ) {
        let metrics = PrometheusMetrics()
        let (level, format) = (settings.logLevel, settings.logFormat)
        LoggingSystem.bootstrap(
            { format.handler(label: $0, level: level, service: name, provider: $1) }, metadataProvider: .traceID)
        MetricsSystem.bootstrap(metrics)
        let logger = Logger(label: name)
        let exporter = SpanExporter(settings.traces, service: name, logger: logger)
        InstrumentationSystem.bootstrap(exporter?.tracer ?? W3CTraceContext())
        return (Bootstrap(name: name, settings: settings, reader: reader, logger: logger, metrics: metrics), exporter)
    }

    private static func serve(_ services: [any Service], logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = gracefulShutdown
        configuration.maximumCancellationDuration = cancellation
        try await ServiceGroup(configuration: configuration).run()
        logger.info("stopped")
    }
}
