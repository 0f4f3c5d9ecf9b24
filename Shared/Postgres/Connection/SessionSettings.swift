/// What every session is told when it is open, before its first job.
///
/// libpq sends `PGDATESTYLE` and `PGTZ` behind the connection's own options, and the last one wins; the decoding of values
/// relies on these all the same.
enum SessionSettings {
    /// What values look like as text.
    static let pinned = [
        ("DateStyle", "ISO, MDY"), ("TimeZone", "UTC"), ("IntervalStyle", "postgres"), ("bytea_output", "hex"),
        ("extra_float_digits", "1"), ("standard_conforming_strings", "on"), ("client_encoding", "UTF8"),
        ("client_min_messages", "error"),
    ]

    /// Pins them, and asks which limit of a statement the session came with, in milliseconds.
    static let pin = Statement(
        "SELECT (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::bigint, "
            + pinned.map { "set_config('\($0)', '\($1)', false)" }.joined(separator: ", "),
        isPrepared: false)
}
