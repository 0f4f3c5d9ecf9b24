/// What the compiler does not check. Each gives what it finds, and nothing when all is well.
enum Rule: String, CaseIterable {
    case imports, targets, keysAreBytes, stores, servicesAreSafe, tokensAreHidden, routes, snippets

    func findings(in tree: SourceTree) -> [String] {
        switch self {
        case .imports: Imports.findings(in: tree)
        case .targets: Self.targets(tree)
        case .keysAreBytes: Self.keysAreBytes(tree)
        case .stores: Self.stores(tree)
        case .servicesAreSafe: Self.servicesAreSafe(tree)
        case .tokensAreHidden: Self.tokensAreHidden(tree)
        case .routes: Self.routes(tree)
        case .snippets: Self.snippets(tree)
        }
    }

    /// Tests that no target holds would never run, and nobody would notice.
    private static func targets(_ tree: SourceTree) -> [String] {
        let package = (tree.files["Package.swift"] ?? "").filter { !$0.isWhitespace }
        return tree.swiftFolders.filter { folder in
            let name = folder.split(separator: "/")[1]
            if folder.hasPrefix("Tests/"), name.hasSuffix("Tests"), package.contains("tests(\"\(name.dropLast(5))\"") {
                return false
            }
            if folder.hasPrefix("Services/"), package.contains("service(\"\(name)\"") { return false }
            return !package.contains("path:\"\(folder)\"")
        }.map { "\($0): no target in Package.swift" }
    }

    /// Swift's texts are equal when they look alike; PostgreSQL's when their bytes are.
    private static func keysAreBytes(_ tree: SourceTree) -> [String] {
        tree.lines(below: ["Shared/Settle", "Shared/ShopContract", "Services"], ending: ".swift").filter { line in
            !line.isComment && !line.text.hasSuffix("// ours")
                && ["Set<String>", "[String: ", "Dictionary(grouping"].contains { line.text.contains($0) }
        }.map { "\($0.place): names from outside are gathered by ByteKey; those of our making are marked: // ours" }
    }

    /// All statements over a table are in its store.
    private static func stores(_ tree: SourceTree) -> [String] {
        let owners = [
            "settle.branch": "BranchStore", "settle.global_transaction": "DecisionStore",
            "settle.operator_decision": "OperatorDecision", "settle.set_aside": "SetAsideStore",
            "settle.inbox": "InboxStore", "settle.pre_message": "MessageStore", "settle.message_his": "MessageStore",
            "task": "TaskStatements", "task_his": "TaskStatements",
            "task_pause": "TaskStatements",
        ]
        let statement = #/(?:FROM|INTO|UPDATE|JOIN) (?:ONLY )?([A-Za-z0-9_.]+)/#
        return tree.lines(below: ["Shared/Settle", "Shared/SettleHTTP"], ending: ".swift").flatMap { line in
            line.isComment
                ? []
                : line.text.matches(of: statement).compactMap { match -> String? in
                    guard let owner = owners[String(match.1)] else { return nil }
                    let file = line.path.split(separator: "/").last ?? ""
                    return file == "\(owner).swift" || file.hasPrefix("\(owner)+")
                        ? nil : "\(line.place): a statement over \(match.1) belongs into \(owner)"
                }
        }
    }

    /// Services are plain code on top of the shared modules: what the compiler cannot check stays below them.
    private static func servicesAreSafe(_ tree: SourceTree) -> [String] {
        let word =
            #/(?:^|[^A-Za-z0-9_])(?:unsafe|@unchecked|@preconcurrency)(?:[^A-Za-z0-9_.]|$)|Unsafe[A-Z]|unsafeBitCast/#
        return tree.lines(below: ["Services"], ending: ".swift").filter { line in
            // The comments may speak of it.
            let code = line.text.firstRange(of: "//").map { line.text[..<$0.lowerBound] } ?? line.text
            return code.contains(word)
        }.map { "\($0.place): not allowed under Services: \($0.text)" }
    }

    /// Every account of a machine can read the command lines of all its processes.
    private static func tokensAreHidden(_ tree: SourceTree) -> [String] {
        let header = #/(?:-[a-zA-Z]*H|--header|--oauth2-bearer)[ =]*"?[^@]*\$[{(]?(?:SETTLE_TOKEN|token|suite_token)/#
        return tree.lines(below: ["scripts", "docker", "docs", "README.md", ".ci"])
            .filter { $0.text.contains(header) }
            .map { "\($0.place): a token on a command line" }
    }

    /// Each route is in the table of docs/security.md, under who may call it.
    private static func routes(_ tree: SourceTree) -> [String] {
        let rows = tree.lines(of: "docs/security.md").filter { $0.text.hasPrefix("| `") }
        let route = #/\b(open|guarded|branches)\.(get|put|post|patch|delete)\("([^"]+)"/#
        var findings: [String] = []
        for line in tree.lines(below: ["Services", "Shared"], ending: ".swift") where line.text.contains("(\"") {
            for match in line.text.matches(of: route) {
                let path = match.3.replacing(#/:([a-zA-Z]+)/#) { "{\($0.1)}" }
                    .replacing(#/\\\(([a-zA-Z]+)\)/#) { "{\($0.1)}" }
                let (name, callers) = ("\(match.2.uppercased()) /\(path)", match.1 == "open" ? "anyone" : "internal")
                if !rows.contains(where: { $0.text.contains("| `\(name)` |") && $0.text.contains("| \(callers)") }) {
                    findings.append("docs/security.md: no row \"\(name)\" for \(callers)")
                }
            }
        }
        return findings
    }

    /// What the documents show of the examples is in the examples, which are built and run: each line of the block after
    /// `<!-- from FILE -->`.
    private static func snippets(_ tree: SourceTree) -> [String] {
        tree.files.keys.filter { $0.hasPrefix("docs/") && $0.hasSuffix(".md") }.sorted().flatMap { document in
            var findings: [String] = []
            var source: String?
            var isInside = false
            for line in tree.lines(of: document) {
                if line.text.hasPrefix("<!-- from ") {
                    source = String(line.text.split(separator: " ")[2])
                } else if let file = source, line.text.hasPrefix("```") {
                    isInside.toggle()
                    source = isInside ? file : nil
                } else if isInside, let file = source {
                    let text = line.text.drop { $0 == " " }
                    if !text.isEmpty, !(tree.files[file] ?? "").contains(text) {
                        findings.append("\(line.place): not in \(file): \(text)")
                    }
                }
            }
            return findings
        }
    }
}
