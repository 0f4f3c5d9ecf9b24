package import ServiceLifecycle

extension Settle {
    /// Sends tasks; nil when the application said of none that it sends it. Reading it ends the time for saying what the
    /// application does.
    public var relay: OutboxRelay? { assembled.sends ? assembled.messaging?.relay : nil }

    /// Keeps the messages that cannot be handled now, and the dead letters; nil without a broker.
    public var setAside: SetAside? { assembled.messaging?.setAside }

    /// The side that does parts, if the application said that it does any.
    package var participation: (participant: Participant, checkBack: CheckBack)? {
        assembled.participation.map { ($0.participant, $0.checkBack) }
    }

    /// The side that decides, if the application said that it begins global transactions.
    package var decidingSide: TransactionInitiator? { assembled.initiation?.initiator }

    /// The side whose messages a message centre keeps, if the application said that it has such.
    package var producer: MessageProducer? { registry.content.producer }

    /// Has a transport run with the application; it begins before what needs it.
    package func runs(_ service: any Service) { registry.add { $0.services.append(service) } }
}
