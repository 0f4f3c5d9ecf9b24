import Hummingbird

/// `GET /metrics`.
struct MetricsRoute {
    static let operation = APIOperation(.get, "/metrics", .always, "Metrics, in Prometheus' text format.")
        .answering(.ok, .text, type: "text/plain")

    let metrics: PrometheusMetrics

    func add(to router: ServiceRouter) {
        router.get("metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.render())))
        }
    }
}
