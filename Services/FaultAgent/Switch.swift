import SettleServiceKit
import ShopContract

/// In both languages of the page.
struct Words: Encodable, Sendable {
    let en: String
    let zh: String
}

/// Something that can be broken, and what will happen then.
struct Switch: Encodable, Sendable {
    enum Kind: String, CaseIterable, Encodable, Sendable {
        case failpoint, process, network
    }

    enum Deed: Sendable {
        /// The service is killed where its code reaches that point.
        case crash(Failpoint)
        /// `kill`, `restart` or `pause`, as `POST /faults/process` takes it.
        case process(String)
        case line(Line.State, [String])
        /// All connections end, once.
        case cut
    }

    let id: String
    let kind: Kind
    /// Whose; nil for the network.
    let service: String?
    let says: Words
    let deed: Deed

    private enum CodingKeys: CodingKey { case id, kind, service, says }

    /// Whether it lasts as long as it was asked to.
    var lasts: Bool {
        switch deed {
        case .process("pause"), .line: true
        case .crash, .process, .cut: false
        }
    }

    /// In which modes orders come while it happens.
    var modes: [OrderKind] {
        if case .crash(let failpoint) = deed { failpoint.modes } else { OrderKind.all }
    }

    /// - Parameter lines: the names of those that there are.
    static func all(lines: [String]) -> [Switch] {
        let services = ShopServices.all.map(\.name)
        return services.flatMap(processes) + network(lines)
            + services.flatMap { service in
                Failpoint.all.filter { $0.services.contains(service) }.map { failpoint in
                    Switch(
                        id: "failpoint:\(service):\(failpoint.point)", kind: .failpoint, service: service,
                        says: failpoint.says, deed: .crash(failpoint))
                }
            }
    }

    private static func processes(_ service: String) -> [Switch] {
        [
            (
                "kill", "\(service) is killed (SIGKILL) and started again. What it had in hand comes again.",
                "\(service) 被强制终止(SIGKILL)并重新启动。它手上的工作会再次到来。"
            ),
            (
                "restart",
                "\(service) is stopped in order (SIGTERM) and started again. It finishes what it has in hand.",
                "\(service) 正常停止(SIGTERM)并重新启动。它会先完成手上的工作。"
            ),
            (
                "pause", "\(service) stands still (SIGSTOP) for a while: it neither answers nor ends. Then it goes on.",
                "\(service) 暂停(SIGSTOP)一段时间:既不响应也不退出,然后继续。"
            ),
        ].map { action, english, chinese in
            Switch(
                id: "\(action):\(service)", kind: .process, service: service, says: Words(en: english, zh: chinese),
                deed: .process(action))
        }
    }

    private static func network(_ lines: [String]) -> [Switch] {
        guard !lines.isEmpty else { return [] }
        let ways = lines.filter { !$0.hasPrefix("to-") }.map { line in
            Switch(id: "away:\(line)", kind: .network, service: nil, says: away(line), deed: .line(.away, [line]))
        }
        let slow = Words(
            en: """
                Everything between the services and their servers takes 100 ms longer each way. Orders are slow, and \
                none is lost.
                """,
            zh: "服务与服务器之间的每个方向都延迟 100 毫秒。订单变慢,但不会丢失。")
        let cut = Words(
            en: """
                All connections break at once, and may be opened again. What was on its way is asked for or sent once \
                more.
                """,
            zh: "所有连接同时断开,可以重新建立。途中的内容会被再次询问或发送。")
        return ways + [
            Switch(
                id: "slow", kind: .network, service: nil, says: slow, deed: .line(.slow(.milliseconds(100)), lines)),
            Switch(id: "cut", kind: .network, service: nil, says: cut, deed: .cut),
        ]
    }

    private static func away(_ line: String) -> Words {
        switch line {
        case "redis":
            return Words(
                en: "Redis is away for a while. It is a fast path only: orders settle all the same.",
                zh: "Redis 暂时不可用。它只是快速通道:订单照常完成。")
        case "rabbitmq":
            return Words(
                en: "RabbitMQ is away for a while. Orders are accepted and wait; they settle when it is back.",
                zh: "RabbitMQ 暂时不可用。订单仍被接受并等待;恢复后完成。")
        default:
            let service = line.replacing("postgres-", with: "")
            return Words(
                en: """
                    The database of \(service) is away for a while. What needs it is answered 503 and comes again; \
                    nothing is half done.
                    """,
                zh: "\(service) 的数据库暂时不可用。需要它的请求得到 503 并重试;不会只完成一半。")
        }
    }
}
