import Foundation
import SettleServiceKit

/// Rows of a service's answer, for people.
struct Table {
    struct Column {
        let title: String
        let cell: @Sendable (JSONValue) -> String

        /// A member as it is.
        static func member(_ title: String, _ name: String) -> Column {
            Column(title: title) { $0[name]?.plain ?? "" }
        }

        /// A member that is milliseconds since 1970.
        static func time(_ title: String, _ name: String) -> Column {
            Column(title: title) { row in
                guard case .integer(let milliseconds)? = row[name] else { return "" }
                return Date(timeIntervalSince1970: Double(milliseconds) / 1000).ISO8601Format()
            }
        }
    }

    let columns: [Column]

    func text(_ rows: [JSONValue]) -> String {
        let lines = [columns.map(\.title)] + rows.map { row in columns.map { Self.printable($0.cell(row)) } }
        let widths = columns.indices.map { index in lines.map { $0[index].count }.max() ?? 0 }
        return lines.map { cells in
            let padded = zip(cells, widths).map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }
            return padded.joined(separator: "  ").trimmingTrailingSpaces
        }.joined(separator: "\n")
    }

    /// What comes from a service may have been written by anybody: nothing of it shall move the cursor.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: "\u{FFFD}"
                    default: scalar
                    }
                }))
    }
}

extension JSONValue {
    /// Texts without quotation marks, the rest as JSON; nothing for null.
    var plain: String {
        switch self {
        case .text(let text): text
        case .null: ""
        default: (try? text) ?? ""
        }
    }
}

extension String {
    fileprivate var trimmingTrailingSpaces: String {
        String(reversed().drop { $0 == " " }.reversed())
    }
}
