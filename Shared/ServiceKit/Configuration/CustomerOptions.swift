public import ArgumentParser

/// The flag of a service that can tell its customers apart.
public struct CustomerOptions: ParsableArguments {
    static let name = "settle-customers"

    @Option(
        help: """
            on: ordering for a user, and reading one, needs that user's own token (SETTLE_CUSTOMERS, default off: \
            anybody may).
            """)
    var settleCustomers: String?

    /// No flags given.
    public init() {}

    /// For `ServiceMain.run`.
    public var flags: [String: String?] { [Self.name: settleCustomers] }

    /// Whether customers are told apart.
    ///
    /// - Throws: ``SettingsError`` for anything but `on` and `off`: a slip of the pen must not leave the shop open.
    public static func areToldApart(_ reader: SettingsReader) throws(SettingsError) -> Bool {
        switch try reader.string(name, default: "off") {
        case "on": true
        case "off": false
        default: throw SettingsError(name, "on or off is expected")
        }
    }
}
