import SettleCore
import Metrics

/// The keys of one type of task.
struct TypeKeys: Sendable {
    /// The header that carries the signature: `v1=` and 64 hexadecimal digits.
    static let header = "x-settle-signature"

    let takesUnsigned: Bool
    private let first: HMAC
    private let others: [HMAC]
    private let refused: Counter

    /// - Parameter keys: as they were given; one of them may be `MessageKeys.unsigned`.
    init(_ taskType: String, _ keys: [[UInt8]]) throws(MessageKeysError) {
        let real = keys.filter { $0 != Array(MessageKeys.unsigned.utf8) }
        for key in real {
            guard MessageKeys.keyLength.contains(key.count), key.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                let (least, most) = (MessageKeys.keyLength.lowerBound, MessageKeys.keyLength.upperBound)
                throw MessageKeysError("\(taskType): keys of \(least) to \(most) printable characters are expected")
            }
        }
        let hmacs = real.map { HMAC(key: $0) }
        guard let first = hmacs.first, hmacs.count <= MessageKeys.maxKeys else {
            throw MessageKeysError("\(taskType): 1 to \(MessageKeys.maxKeys) keys are expected")
        }
        takesUnsigned = real.count < keys.count
        self.first = first
        others = Array(hmacs.dropFirst())
        refused = Counter(label: "settle_signatures_refused_total", dimensions: [("task_type", taskType)])
    }

    func signature(of content: SignedContent) -> String { Self.signature(of: content, first) }

    func check(_ given: String?, of content: SignedContent) throws(BadSignature) {
        guard let given else {
            if takesUnsigned { return }
            refused.increment()
            throw .missing
        }
        let isRight = ([first] + others).contains {
            given.utf8.isEqualInConstantTime(to: Self.signature(of: content, $0).utf8)
        }
        if !isRight {
            refused.increment()
            throw .wrong
        }
    }

    private static func signature(of content: SignedContent, _ key: HMAC) -> String {
        "v1=" + key.code(of: content.head, content.body).hexDigits
    }
}

/// A message that nobody with a key has signed.
enum BadSignature: Error, CustomStringConvertible {
    case missing, wrong

    /// The beginning of every reason.
    static let prefix = "signature: "

    var description: String {
        switch self {
        case .missing: Self.prefix + "the message has none"
        case .wrong: Self.prefix + "it does not belong to the message"
        }
    }
}
