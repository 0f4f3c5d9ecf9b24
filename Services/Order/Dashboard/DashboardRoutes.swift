import Foundation
import HTTPTypes
import Hummingbird
import Logging
import SettleServiceKit
import ShopContract

/// The page at `/`, what feeds it, and what it does for whoever has a session.
struct DashboardRoutes {
    struct Credentials: Decodable {
        let token: String
    }

    private struct SignedIn: Encodable {
        let signedIn: Bool
        let faults: Bool
    }

    let feed: Feed
    let session: Session
    /// Whether only operators see the orders of all users.
    let tellsCustomersApart: Bool
    /// Whether the page has switches that break something.
    let breaksOnDemand: Bool
    /// By their names; what the page asks of them goes through here.
    let services: [(name: String, client: ServiceClient)]

    func add(to open: ServiceRoutes) {
        for (path, type, bytes) in Self.files + (breaksOnDemand ? [Self.faults] : []) {
            open.get(RouterPath(path)) { _, _ in
                Response(
                    status: .ok, headers: Self.headers(type), body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
            }
        }
        open.post("session") { request, context in
            let given = try await requireJSON(Credentials.self, from: request, context: context)
            guard let cookie = session.begin(token: given.token) else { throw Problem.unauthorized }
            return Response(status: .noContent, headers: [.setCookie: cookie])
        }
        open.delete("session") { _, _ in Response(status: .noContent, headers: [.setCookie: Session.end]) }
        open.get("session") { request, _ in
            try Response.json(SignedIn(signedIn: session.holds(request), faults: breaksOnDemand))
        }
        open.on("feed", method: .get) { request, _ in
            guard let states = feed.listen(showsOrders: !tellsCustomersApart || session.holds(request)) else {
                throw Problem.unavailable("too many pages are open")
            }
            return Response(
                status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
                body: ResponseBody { writer in
                    for await state in states { try await writer.write(state) }
                    try await writer.finish(nil)
                })
        }
        for method in [HTTPRequest.Method.get, .post, .delete] {
            open.on("operate/:service/**", method: method) { request, context in
                guard session.holds(request) else { throw Problem.unauthorized }
                return try await pass(request, context)
            }
        }
    }

    /// Asks a service in the place of whoever has a session; its answer is passed on.
    private func pass(_ request: Request, _ context: ServiceRequestContext) async throws -> Response {
        let name = try context.pathParameter("service")
        let prefix = "/operate/\(name)"
        guard let client = services.first(where: { $0.name == name })?.client, request.uri.path.hasPrefix(prefix) else {
            throw Problem.notFound("there is no such service")
        }
        let query = request.uri.query.map { "?\($0)" } ?? ""
        let body = try await request.body.collect(upTo: HTTPLimits.maxBodyBytes)
        let answer: ServiceAnswer
        do {
            answer = try await client.send(
                request.method, request.uri.path.dropFirst(prefix.count) + query,
                json: body.readableBytes > 0 ? Array(body.readableBytesView) : nil, timeout: .seconds(30))
        } catch {
            context.logger.info(
                "a service could not be asked for the page", metadata: ["service": "\(name)", "error": "\(error)"])
            throw Problem.unavailable("\(name) cannot be asked now")
        }
        let type = answer.header("Content-Type") ?? "application/json"
        return Response(
            status: HTTPResponse.Status(code: answer.status), headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }

    private static let files: [(path: String, type: String, bytes: [UInt8])] = [
        ("/", "text/html; charset=utf-8", PackageResources.index_html),
        ("dashboard.css", "text/css; charset=utf-8", PackageResources.dashboard_css),
        ("dashboard.js", "text/javascript; charset=utf-8", PackageResources.dashboard_js),
    ]

    private static let faults = (
        path: "faults.js", type: "text/javascript; charset=utf-8", bytes: PackageResources.faults_js
    )

    /// Nothing from elsewhere, and nothing of it inside another page.
    private static func headers(_ type: String) -> HTTPFields {
        var headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache", .xContentTypeOptions: "nosniff"]
        for (name, value) in [
            (
                "Content-Security-Policy",
                "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
            ), ("Referrer-Policy", "no-referrer"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }
}
