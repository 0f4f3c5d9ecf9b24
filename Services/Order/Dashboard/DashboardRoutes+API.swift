import HTTPTypes
import SettleServiceKit
import ShopContract

extension DashboardRoutes {
    /// - Parameter breaksOnDemand: whether the page has switches that break something.
    static func operations(breaksOnDemand: Bool) -> [APIOperation] {
        own + passing
            + (breaksOnDemand
                ? [
                    APIOperation(.get, "/faults.js", .anyone, "The program of its switches.")
                        .answering(.ok, .text, type: "text/javascript", headers: notKept)
                ] : [])
    }

    private static let own: [APIOperation] = [
        APIOperation(.get, "/", .anyone, "A page that shows every order on its way.")
            .answering(.ok, .text, type: "text/html", headers: notKept),
        APIOperation(.get, "/dashboard.css", .anyone, "Its style.")
            .answering(.ok, .text, type: "text/css", headers: notKept),
        APIOperation(.get, "/dashboard.js", .anyone, "Its program.")
            .answering(.ok, .text, type: "text/javascript", headers: notKept),
        APIOperation(.get, "/session", .anyone, "Whether the browser has a session.")
            .answering(.ok, .object(["signedIn": .bool, "faults": .bool])),
        APIOperation(.post, "/session", .anyone, "Begins a session: a cookie in place of the token.")
            .reading(Credentials.self, .request(["token": .text]))
            .answering(.noContent, headers: [cookie]).refusing(.unauthorized),
        APIOperation(.delete, "/session", .anyone, "Ends the session in this browser.")
            .answering(.noContent, headers: [cookie]),
        APIOperation(.get, "/feed", .anyone, "What the page shows, once a second; the answer does not end.")
            .answering(
                .ok,
                .object(["event": .choice(["state", "away"]), "data": .text.about("A JSON object on one line.")])
                    .about("Each event."), type: "text/event-stream", headers: notKept),
    ]

    private static let passing = [HTTPRequest.Method.get, .post, .delete].map { method in
        APIOperation(method, "/operate/{service}/{path}", .session, "Asks a service what its operator may ask.")
            .taking(
                .path("service", .choice(ShopServices.all.map(\.name)), "By its name."),
                .path("path", .text, "Of the service, with its slashes and its query; so is the body.")
            )
            .passingOn()
    }

    private static let notKept = [APIParameter.header("Cache-Control", .text, isRequired: true)]
    private static let cookie = APIParameter.header("Set-Cookie", .text, isRequired: true)
}
