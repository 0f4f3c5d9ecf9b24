public import Logging

/// What ``ServiceMain`` has ready when a service is put together.
public struct Bootstrap: Sendable {
    /// The service's name, which labels its log.
    public let name: String
    /// What all services share.
    public let settings: Settings
    /// For the service's own settings.
    public let reader: SettingsReader
    /// To be passed down.
    public let logger: Logger
    /// What `/metrics` shows; also the process-wide factory of swift-metrics.
    public let metrics: PrometheusMetrics

    /// By hand, for tests; ``ServiceMain`` makes one for a service.
    public init(
        name: String, settings: Settings, reader: SettingsReader, logger: Logger, metrics: PrometheusMetrics
    ) {
        self.name = name
        self.settings = settings
        self.reader = reader
        self.logger = logger
        self.metrics = metrics
    }

    /// Makes any error of `parse` a ``SettingsError`` of the setting called `name`. Its text goes to the operator, so
    /// it must not hold secrets.
    public func setting<T>(_ name: String, _ parse: () throws -> T) throws(SettingsError) -> T {
        do {
            return try parse()
        } catch let error as SettingsError {
            throw error
        } catch {
            throw SettingsError(name, "\(error)")
        }
    }
}
