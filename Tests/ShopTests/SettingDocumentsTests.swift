import Foundation
import SettleServiceKit
import Testing

@testable import ShopMessageCentre
@testable import ShopOrder
@testable import ShopStock
@testable import ShopUserPoints

/// docs/operating.md is written by hand, because it says more than `--help`; here it is held against what is declared.
@Suite("The settings in docs/operating.md")
struct SettingDocumentsTests {
    private struct Row: Hashable {
        let variable: String
        let defaultText: String
    }

    private static let commands = [
        OrderCommand.command, StockCommand.command, UserPointsCommand.command, MessageCentreCommand.command,
    ]

    /// Where services have different defaults, as for HTTP_PORT, they stand one after the other.
    private static func declared() -> Set<Row> {
        var defaults: [String: [String]] = [:]
        for setting in commands.flatMap(\.settings) {
            let text = setting.defaultText ?? "—"
            if defaults[setting.variable]?.contains(text) != true {
                defaults[setting.variable, default: []].append(text)
            }
        }
        return Set(defaults.map { Row(variable: $0.key, defaultText: $0.value.joined(separator: ", ")) })
    }

    /// The rows of the tables under "Settings" that begin with a name in capital letters.
    private static func documented() throws -> [Row] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/operating.md")
        let document = try String(contentsOf: file.standardized, encoding: .utf8)
        let section = try #require(document.components(separatedBy: "\n## ").first { $0.hasPrefix("Settings") })
        return section.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count > 3, let variable = cells[1].wholeMatch(of: /`([A-Z_]+)`.*/)?.1 else { return nil }
            return Row(variable: String(variable), defaultText: cells[2].replacingOccurrences(of: "`", with: ""))
        }
    }

    @Test("every setting has one row with its default, and every row is a setting")
    func agree() throws {
        let declared = Self.declared()
        let documented = try Self.documented()
        #expect(declared.subtracting(documented) == [], "declared, and not so in the document")
        #expect(Set(documented).subtracting(declared) == [], "in the document, and not declared so")
        #expect(documented.count == Set(documented.map(\.variable)).count, "a setting that has two rows")
    }

    @Test("no command declares a setting twice")
    func once() {
        for command in Self.commands {
            #expect(Set(command.settings.map(\.name)).count == command.settings.count, "\(command.name)")
        }
    }
}
