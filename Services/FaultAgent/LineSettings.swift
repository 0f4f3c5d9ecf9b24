import SettleServiceKit

/// Where the ways to servers and services are that the agent can break.
struct LineSettings: Sendable {
    /// None where nothing is set: then only processes can be broken.
    var addresses: [LineAddress] = []

    /// What an operator may set.
    static let table = SettingsTable(
        LineSettings(),
        [
            SettingRow(
                "fault-lines", \.addresses,
                "Ways to servers that can be slow or cut: what comes in at PORT goes on to HOST:PORT.",
                form: "a list NAME=PORT:HOST:PORT, …", defaultText: { _ in "none" }, parse: LineAddress.list)
        ])
}

/// From a port of the agent's to a server.
struct LineAddress: Sendable, Equatable {
    let name: String
    let port: Int
    let host: String
    let target: Int

    /// Nil for a text that is no list of them, or names one or a port twice.
    static func list(_ text: String) -> [LineAddress]? {
        var all: [LineAddress] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split { $0 == "=" || $0 == ":" || $0 == " " }
            guard words.count == 4, let port = Int(words[1]), let target = Int(words[3]),
                (1...65535).contains(port), (1...65535).contains(target),
                !all.contains(where: { $0.port == port || $0.name == String(words[0]) })
            else { return nil }
            all.append(LineAddress(name: String(words[0]), port: port, host: String(words[2]), target: target))
        }
        return all
    }
}
