public import SettleServiceKit

/// Who may have a participant do its part.
public struct ParticipantSettings: Sendable {
    /// Nil: those that the service itself names.
    public internal(set) var initiators: ServiceDirectory?

    /// What an operator may set about it.
    ///
    /// - Parameter initiators: those whom the service names.
    public static func table(initiators: [PeerService]) -> SettingsTable<ParticipantSettings> {
        let unset = initiators.map { "\($0.name)=$\(Setting.variable(of: $0.urlSetting))" }.joined(separator: ", ")
        return SettingsTable(
            ParticipantSettings(),
            [
                .services(
                    "initiators", \.initiators, whenUnset: unset.isEmpty ? "none" : unset,
                    "Who may begin global transactions, and where each is asked what it decided.")
            ])
    }
}
