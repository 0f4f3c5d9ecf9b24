import Foundation
public import Hummingbird

/// What travels with one request through middleware and handlers.
public struct ServiceRequestContext: RequestContext {
    /// Hummingbird's own part: logger, route, path parameters.
    public var coreContext: CoreRequestContextStorage

    /// Made by the server for each request.
    public init(source: Source) { coreContext = CoreRequestContextStorage(source: source) }

    /// Bodies are bounded: 1 MiB.
    public var maxUploadSize: Int { HTTPLimits.maxBodyBytes }
}

extension RequestContext {
    /// A part of the path that a route names (`products/:sku`), percent-decoded.
    ///
    /// - Throws: ``Problem`` 404 when it is empty, longer than `maxLength` scalars or holds U+0000: nothing has such a name.
    public func pathParameter(_ name: String, maxLength: Int = 255) throws(Problem) -> String {
        guard let value = parameters.get(name)?.removingPercentEncoding, !value.isEmpty,
            value.unicodeScalars.count <= maxLength,
            !value.unicodeScalars.contains("\0")
        else { throw .notFound("there is nothing under this path") }
        return value
    }

    /// The same for a positive number.
    public func pathInteger(_ name: String) throws(Problem) -> Int64 {
        guard let value = Int64(try pathParameter(name)), value >= 0 else {
            throw .notFound("there is nothing under this path")
        }
        return value
    }
}

/// All routes of a service.
public typealias ServiceRouter = Router<ServiceRequestContext>

/// Where routes are added.
public typealias ServiceRoutes = RouterGroup<ServiceRequestContext>
