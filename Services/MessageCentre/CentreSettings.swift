import SettleServiceKit

/// How patient the centre is with producers, and who they are; what it says of sending is as with tasks.
struct CentreSettings: Sendable {
    /// When a message is checked back first; later each time.
    var checkAfter: Duration = .seconds(15)
    /// The longest that a check waits for the next one.
    var checkCap: Duration = .seconds(600)
    /// How often a producer may answer "ask again" before a person is to look.
    var maxChecks = 25
    /// Nil: those that the service itself names.
    var artists: ServiceDirectory?

    /// What an operator may set.
    ///
    /// - Parameter artists: the producers that count when nothing is set.
    static func table(artists: [PeerService]) -> SettingsTable<CentreSettings> {
        let unset = artists.map { "\($0.name)=$\(Setting.variable(of: $0.urlSetting))" }.joined(separator: ", ")
        return SettingsTable(
            CentreSettings(),
            [
                .duration(
                    "message-check-after", \.checkAfter, in: .milliseconds(100)...Duration.seconds(7 * 24 * 3600),
                    "When a message that is not confirmed is asked about at its producer; later each time."),
                .integer(
                    "message-max-checks", \.maxChecks, in: 1...1_000_000,
                    "How often its producer may say 'ask again' before it is parked."),
                .services("artists", \.artists, whenUnset: unset, "Whose messages are kept, and where each is asked."),
            ]
        ) { settings in
            settings.checkCap = max(settings.checkCap, settings.checkAfter)
        }
    }
}
