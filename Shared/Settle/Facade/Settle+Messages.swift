extension Settle {
    /// Says that the application sends messages through a message centre, and what follows from what their consumers say.
    ///
    /// - Parameters:
    ///   - centre: keeps them.
    ///   - settings: how patient the application is; what is said of tasks counts for messages, too, when left out.
    ///   - outcome: what follows, in the transaction that archives a message; nil when nobody is to be told.
    /// - Returns: where business transactions put their messages.
    @discardableResult
    public func produce(
        through centre: any MessageCentrePeer, settings: MessageSettings? = nil, outcome: MessageOutcomeHandler? = nil
    ) -> MessageProducer {
        var own = MessageSettings()
        own.tasks = configuration.tasks
        let producer = MessageProducer(
            settings: settings ?? own, database: database, outcomesDatabase: messageDatabase, centre: centre,
            keys: configuration.keys, failpoints: configuration.failpoints, logger: logger, outcome: outcome)
        registry.add { content in
            precondition(content.producer == nil, "an application is one producer, for all its messages")
            content.producer = producer
            // Its connections run with those of messages; an application without tasks has none of these otherwise.
            content.usesMessageDatabase = true
        }
        return producer
    }

    /// Receives the messages of `route` that a message centre sends, in batches, with a memory of your own: see
    /// `TaskApplier`, which should use `messageDatabase`. The centre is told what became of each.
    public func receive(_ route: MessageRoute, applier: some TaskApplier, through centre: any MessageCentrePeer) {
        registry.add { content in
            content.consumed.append(route)
            content.receivers.append { [configuration, logger] messaging in
                let receiver = TaskReceiver(
                    route: route, applier: applier, centre: centre, dedup: messaging.dedup,
                    setAside: messaging.setAside, keys: configuration.keys, hook: configuration.hook,
                    failpoints: configuration.failpoints, logger: logger)
                return [receiver.subscription()]
            }
        }
    }
}
