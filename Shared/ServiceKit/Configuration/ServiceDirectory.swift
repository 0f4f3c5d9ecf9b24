/// Services by name, and where configuration says that they are.
///
/// What is remembered of a service is its name, so that it is found again when its address has changed.
public struct ServiceDirectory: Sendable, Equatable {
    /// As ``BranchContext`` and prepared transactions have room for.
    private static let maxNameLength = 32

    private var urls: [String: BaseURL] = [:]
    private var names: [BaseURL: String] = [:]

    /// - Parameter services: a name that comes again adds an earlier address of that service: it is known by it still, but
    ///   called at the first one. Of two services at one address the first is who an address means.
    public init(_ services: [(name: String, url: BaseURL)]) {
        for (name, url) in services {
            urls[name] = urls[name] ?? url
            names[url] = names[url] ?? name
        }
    }

    /// Of a list as an operator writes it: `order=http://order:8080, billing=https://billing.example`. Nil for one that
    /// is not as ``form`` says.
    init?(_ text: String) {
        var listed: [(name: String, url: BaseURL)] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.drop { $0 == " " }
            }
            guard sides.count == 2, Self.isName(sides[0].trimmed), let url = BaseURL(String(sides[1].trimmed)) else {
                return nil
            }
            listed.append((String(sides[0].trimmed), url))
        }
        self.init(listed)
        guard listed.allSatisfy({ names[$0.url] == $0.name }) else { return nil }
    }

    static let form =
        "a list NAME=URL, NAME=URL, … with names of 1 to \(maxNameLength) letters, digits, - or _ and a URL of its own for each name"

    /// The name of the service that `text` means: its name, or a URL that means its address. Nil when it is not known.
    public func name(of text: String) -> String? {
        urls[text] != nil ? text : BaseURL(text).flatMap { names[$0] }
    }

    /// Where the service of that name is called.
    public func url(of name: String) -> BaseURL? { urls[name] }

    private static func isName(_ text: Substring) -> Bool {
        (1...maxNameLength).contains(text.count)
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "-" || $0 == "_" }
    }
}

extension Substring {
    /// Without spaces at its end.
    fileprivate var trimmed: Substring {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}

extension SettingRow {
    /// Services by name.
    ///
    /// - Parameters:
    ///   - name: of the flag, without its dashes.
    ///   - field: what is filled.
    ///   - whenUnset: what counts when the field stays nil.
    ///   - meaning: for `--help`, in one sentence.
    public static func services(
        _ name: String, _ field: Field<ServiceDirectory?>, whenUnset: String,
        _ meaning: String
    ) -> SettingRow {
        SettingRow(
            name, field, meaning, form: ServiceDirectory.form, defaultText: { _ in whenUnset },
            parse: { ServiceDirectory($0).map(Optional.some) })
    }
}
