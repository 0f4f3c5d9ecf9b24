/// Another service that this one may call.
///
/// With the prefix `order` it is configured by `ORDER_URL`, where it is, and `ORDER_TOKEN`, what is sent to it.
public struct PeerService: Sendable, Hashable {
    /// What it is remembered by: a decision names the services that must hear of it.
    public let name: String
    /// The name of its URL's setting, as ``Setting`` has it: `order-url`.
    public let urlSetting: String
    /// The name of its token's setting.
    public let tokenSetting: String
    /// Where it is when nothing is said.
    public let defaultURL: BaseURL?

    /// - Parameters:
    ///   - name: what the service is remembered by.
    ///   - prefix: of its settings; its name when nil.
    ///   - port: on loopback, where it is when nothing is said.
    public init(_ name: String, settings prefix: String? = nil, port: Int) {
        self.name = name
        urlSetting = "\(prefix ?? name)-url"
        tokenSetting = "\(prefix ?? name)-token"
        defaultURL = BaseURL("http://127.0.0.1:\(port)")
    }
}
