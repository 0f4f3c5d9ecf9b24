import AsyncHTTPClient
import Foundation
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
public import ServiceLifecycle
import Synchronization
import Tracing

/// The connections to other services; one per process, listed before what uses it.
public final class OutboundHTTP: Service, Sendable {
    /// Bounds, and how long to wait.
    public struct Options: Sendable {
        /// Connections kept to one host; more calls than this wait for one.
        public var connectionsPerHost = 64
        /// Calls in flight or waiting; beyond it ``ServiceClientError/overloaded`` is thrown.
        public var maxWaiting = 1024
        /// How long one attempt to connect may take.
        public var connectTimeout: Duration = .seconds(1)
        /// An idle connection is closed after this long.
        public var idleTimeout: Duration = .seconds(60)
        /// A longer answer is ``ServiceClientError/invalidAnswer(_:)``.
        public var maxResponseBytes = 4 << 20

        /// The defaults above.
        public init() {}
    }

    private let options: Options
    private let logger: Logger
    private let client = Mutex<HTTPClient?>(nil)
    private let waiting = Atomic(0)

    /// Opens nothing yet: ``run()`` does.
    public init(_ options: Options = Options(), logger: Logger) {
        self.options = options
        self.logger = logger
    }

    /// Keeps the connections until a graceful shutdown; calls in flight then are failed by the client, so whatever
    /// makes calls is listed after this and has stopped before.
    public func run() async throws {
        let http = HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
        client.withLock { $0 = http }
        // Throws when cancelled, which is the other way to end; either way the client has to be shut down.
        try? await gracefulShutdown()
        client.withLock { $0 = nil }
        try await http.shutdown()
    }

    private var configuration: HTTPClient.Configuration {
        var pool = HTTPClient.Configuration.ConnectionPool(
            idleTimeout: TimeAmount(options.idleTimeout),
            concurrentHTTP1ConnectionsPerHostSoftLimit: options.connectionsPerHost)
        // A peer that refuses connections should be an error at once, not one when the deadline has passed.
        pool.retryConnectionEstablishment = false
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: HTTPClient.Configuration.Timeout(
                connect: TimeAmount(options.connectTimeout), read: .seconds(30)),
            connectionPool: pool)
        configuration.httpVersion = .http1Only
        // A call has a span already: ``ServiceClient``.
        configuration.tracing.tracer = nil
        return configuration
    }

    /// One exchange. `timeout` covers connecting, sending and receiving.
    func exchange(
        method: String, url: String, headers: [(String, String)], body: [UInt8]?, timeout: Duration
    ) async throws(ServiceClientError) -> ServiceAnswer {
        guard let http = client.withLock({ $0 }) else {
            throw .unavailable(reason: "the client is not running", isUnsent: true)
        }
        defer { waiting.subtract(1, ordering: .relaxed) }
        guard waiting.add(1, ordering: .relaxed).newValue <= options.maxWaiting else { throw .overloaded }
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: method)
        request.headers = HTTPHeaders(headers)
        if let body { request.body = .bytes(body, length: .known(Int64(body.count))) }
        do {
            let response = try await http.execute(request, timeout: TimeAmount(timeout), logger: nil)
            let content = try await response.body.collect(upTo: options.maxResponseBytes)
            return ServiceAnswer(
                status: Int(response.status.code), headers: response.headers.map { ($0.name, $0.value) },
                body: Array(content.readableBytesView))
        } catch {
            throw Self.error(error)
        }
    }

    private static let timeouts: [HTTPClientError] = [.deadlineExceeded, .readTimeout, .writeTimeout]

    /// Errors from before a connection was there.
    private static let unsent: [HTTPClientError] = [
        .connectTimeout, .getConnectionFromPoolTimeout, .alreadyShutdown, .tlsHandshakeTimeout, .invalidURL, .emptyHost,
        .emptyScheme,
    ]

    private static let unreachable = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH]

    private static func error(_ error: any Error) -> ServiceClientError {
        switch error {
        case let error as HTTPClientError where timeouts.contains(error): .timeout
        case let error as HTTPClientError: .unavailable(reason: "\(error)", isUnsent: unsent.contains(error))
        case is NIOTooManyBytesError: .invalidAnswer("the answer is too long")
        case is NIOConnectionError: .unavailable(reason: "\(error)", isUnsent: true)
        // An address given as numbers is connected to without the resolver, whose error the one above is.
        case let error as IOError where unreachable.contains(error.errnoCode):
            .unavailable(reason: "\(error)", isUnsent: true)
        default: .unavailable(reason: "\(error)", isUnsent: false)
        }
    }
}
