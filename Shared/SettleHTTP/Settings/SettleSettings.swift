import Settle
public import SettleServiceKit

/// The settings of a service by what it does, for its `ServiceCommand`.
public enum SettleSettings {
    /// Of one that sends or receives tasks.
    public static let messages =
        DatabaseSettings.table.settings + MessagingSettings.table.settings + FaultSettings.table.settings
        + SetAsideSettings.table.settings

    /// Of one that sends tasks, too.
    public static let tasks = TaskSettings.table.settings

    /// Of one that sends messages through a message centre, too.
    public static let producer = MessageSettings.table.settings

    /// Of one that compares its books with others'.
    public static let reconciliation = ReconciliationSettings.table.settings

    /// Of one that begins global transactions, or takes part in them.
    public static let transactions = TransactionSettings.table.settings

    /// Of one that takes part in them, too.
    ///
    /// - Parameter initiators: whom it does its part for when the operator says nothing else.
    public static func participant(initiators: [PeerService]) -> [Setting] {
        ParticipantSettings.table(initiators: initiators).settings
    }
}
