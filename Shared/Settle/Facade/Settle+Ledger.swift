extension Settle {
    /// Says that the application has a ledger that is reconciled with others': they ask for it by its routes.
    ///
    /// - Parameters:
    ///   - source: where its lines are.
    ///   - balances: how its balances are compared with it; nil where there are none.
    public func ledger(_ source: LedgerSource, balances: (any LedgerBalances)? = nil) {
        registry.add { content in
            precondition(content.ledger == nil, "an application has one ledger")
            content.ledger = DatabaseLedger(source, balances: balances, in: database)
        }
    }

    /// Says that the application compares what it expects of others' ledgers with what they hold, and mends what it can.
    ///
    /// - Parameters:
    ///   - books: those ledgers, and what the application expects of each.
    ///   - business: what the application knows of its keys.
    ///   - branches: shows what participants hold undecided; nil: nobody looks after these. `initiate` is called before.
    ///   - settings: how often, and how patiently.
    /// - Returns: what operators ask.
    @discardableResult
    public func reconcile(
        _ books: [ReconciledBook], business: some ReconciledBusiness, branches: (any BranchAudit)? = nil,
        settings: ReconciliationSettings = ReconciliationSettings()
    ) -> Reconciler {
        let branches = branches.map { audit in
            Reconciler.Branches(audit: audit, initiator: initiation.initiator, peers: initiation.peers)
        }
        let reconciler = Reconciler(
            settings: settings, database: database, books: books, business: business, branches: branches,
            logger: logger)
        registry.add { content in
            precondition(content.reconciler == nil, "an application compares its books once")
            content.reconciler = reconciler
        }
        return reconciler
    }

    /// What an application expects of another's ledger, by its own tables.
    public func expects(_ source: LedgerSource) -> DatabaseLedger { DatabaseLedger(source, in: database) }

    /// Compares the books, if the application said that it does.
    package var reconciler: Reconciler? { registry.content.reconciler }

    /// The ledger, if the application said that it has one.
    package var book: DatabaseLedger? { registry.content.ledger }
}
