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

    /// The ledger, if the application said that it has one.
    package var book: DatabaseLedger? { registry.content.ledger }
}
