import Foundation

/// The texts that rules look at, by their path from the root.
struct SourceTree {
    struct Line {
        let path: String
        let number: Int
        let text: Substring

        /// As compilers write it.
        var place: String { "\(path):\(number)" }
        var isComment: Bool { text.drop { $0 == " " }.starts(with: "//") }
    }

    var files: [String: String] = [:]

    /// The project, as it is.
    static func project() throws -> SourceTree {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL
        var tree = SourceTree()
        let tops = [
            "Package.swift", "README.md", "Shared", "Services", "Tests", "Examples", "sql", "scripts", "docker", "docs",
            ".ci",
        ]
        for top in tops {
            for path in try paths(below: top, of: root) {
                // What is not text is nobody's source.
                tree.files[path] = try? String(contentsOf: root.appending(path: path), encoding: .utf8)
            }
        }
        return tree
    }

    private static func paths(below top: String, of root: URL) throws -> [String] {
        let entries = FileManager.default.enumerator(
            at: root.appending(path: top), includingPropertiesForKeys: [.isDirectoryKey], options: .skipsHiddenFiles)
        guard let entries else { return [top] }
        var paths: [String] = []
        for case let entry as URL in entries
        where try entry.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == false {
            paths.append(String(entry.path.dropFirst(root.path.count + (root.path.hasSuffix("/") ? 0 : 1))))
        }
        return paths.isEmpty ? [top] : paths
    }

    /// The lines of all files below the folders, in order of path.
    func lines(below folders: [String], ending: String = "") -> [Line] {
        files.keys.filter { path in
            path.hasSuffix(ending) && folders.contains { path == $0 || path.hasPrefix("\($0)/") }
        }.sorted().flatMap(lines(of:))
    }

    func lines(of path: String) -> [Line] {
        (files[path] ?? "").split(separator: "\n", omittingEmptySubsequences: false).enumerated().map {
            Line(path: path, number: $0.offset + 1, text: $0.element)
        }
    }

    /// The folders one step below `Shared`, `Services`, `Tests` and `sql` that hold Swift.
    var swiftFolders: [String] {
        let folders = files.keys.filter { $0.hasSuffix(".swift") }.compactMap { path -> String? in
            let parts = path.split(separator: "/")
            guard parts.count > 2, ["Shared", "Services", "Tests", "sql"].contains(parts[0]) else { return nil }
            return "\(parts[0])/\(parts[1])"
        }
        return Set(folders).sorted()
    }
}
