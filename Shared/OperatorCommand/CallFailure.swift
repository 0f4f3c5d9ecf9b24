import ArgumentParser

/// Why a service did not do what was asked.
enum CallFailure: Error, CustomStringConvertible {
    /// No answer, or none that can be read.
    case unreachable(String)
    /// An answer that is none of 2xx, with the problem document's words.
    case refused(status: Int, title: String, detail: String)

    var description: String {
        switch self {
        case .unreachable(let why): why
        case .refused(let status, let title, let detail):
            "\(status) \(title)" + (detail.isEmpty ? "" : ": \(detail)")
        }
    }

    /// As `settle --help` says; the numbers above 63 are those of sysexits.h.
    var exitCode: ExitCode {
        switch self {
        case .unreachable: ExitCode(69)
        case .refused(401, _, _), .refused(403, _, _): ExitCode(77)
        case .refused(500..., _, _): ExitCode(69)
        case .refused: ExitCode(1)
        }
    }
}
