import Foundation

extension PostgresValue {
    /// Appends PostgreSQL's text form.
    func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: break
        case .text(let text): bytes.append(contentsOf: text.utf8)
        case .int64(let value): bytes.append(contentsOf: String(value).utf8)
        case .bool(let value): bytes.append(UInt8(ascii: value ? "t" : "f"))
        case .double(let value): bytes.append(contentsOf: String(value).utf8)
        case .bytes(let value): HexText.append(value, to: &bytes)
        case .uuid(let value): bytes.append(contentsOf: value.uuidString.utf8)
        case .date(let value): bytes.append(contentsOf: TimestampText.text(of: value).utf8)
        case .texts(let values): ArrayText.append(values, to: &bytes)
        case .ints(let values):
            ArrayText.append(values, to: &bytes) { $0.map { String($0) } ?? "NULL" }
        case .bools(let values): ArrayText.append(values, to: &bytes) { $0 ? "t" : "f" }
        case .uuids(let values): ArrayText.append(values, to: &bytes) { $0.uuidString }
        }
    }

    /// Whether a text in it holds a NUL byte, which libpq would take for the text's end.
    var holdsNUL: Bool {
        switch self {
        case .text(let text): text.utf8.contains(0)
        case .texts(let values): values.contains { $0?.utf8.contains(0) ?? false }
        default: false
        }
    }

    /// Whether it is no date, or one that PostgreSQL can hold: not infinite, and neither before 4714-11-24 BC nor after the
    /// year 294276 (its documentation, table 8.9).
    var isDateInRange: Bool {
        guard case .date(let date) = self else { return true }
        return TimestampText.range.contains(date.timeIntervalSince1970)
    }

    /// About how many bytes its text takes, never less than half of it.
    var roughSize: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .bytes(let value): 2 * value.count
        case .texts(let values): values.reduce(0) { $0 + 3 + ($1?.utf8.count ?? 4) }
        case .ints(let values): 20 * values.count
        case .bools(let values): 2 * values.count
        case .uuids(let values): 37 * values.count
        default: 36
        }
    }
}
