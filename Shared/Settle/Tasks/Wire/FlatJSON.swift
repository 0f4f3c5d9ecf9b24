/// JSON objects whose values are texts, whole numbers and null, as task messages are: written and read without the generic
/// machinery of `Codable`, which takes longer for such an object than all else that is done with it here.
///
/// The writer can write any text. The reader is for the usual case only: it gives up on whatever it does not know for
/// sure, and the caller asks `JSONDecoder` then.
enum FlatJSON {
    /// What a member can be.
    enum Value: Equatable {
        case text(String)
        case number(Int64)
        case null
    }

    /// An object, written member by member.
    struct Writer: ~Copyable {
        private var bytes: [UInt8] = [UInt8(ascii: "{")]

        /// - Parameter capacity: about how many bytes will come.
        init(capacity: Int) { bytes.reserveCapacity(capacity) }

        mutating func add(_ name: StaticString, _ value: Int64) {
            begin(name)
            bytes += String(value).utf8
        }

        /// Nothing is written for nil.
        mutating func add(_ name: StaticString, _ value: String?) {
            guard let value else { return }
            begin(name)
            add(value)
        }

        consuming func end() -> [UInt8] {
            bytes.append(UInt8(ascii: "}"))
            return bytes
        }

        private mutating func begin(_ name: StaticString) {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            add(name.description)
            bytes.append(UInt8(ascii: ":"))
        }

        /// Control characters, quotes and backslashes are escaped (RFC 8259, 7); all else stands as it is.
        private mutating func add(_ text: String) {
            bytes.append(UInt8(ascii: "\""))
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                case 0..<0x20:
                    bytes += "\\u00".utf8
                    bytes.append(Self.digits[Int(byte >> 4)])
                    bytes.append(Self.digits[Int(byte & 15)])
                default:
                    bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }

        private static let digits = Array("0123456789abcdef".utf8)
    }

    /// What an object has.
    struct Members {
        fileprivate var all: [(name: String, value: Value)] = []

        subscript(name: String) -> Value? { all.first { $0.name == name }?.value }

        func text(_ name: String) -> String? { if case .text(let text) = self[name] { text } else { nil } }

        func number(_ name: String) -> Int64? { if case .number(let number) = self[name] { number } else { nil } }

        /// Nil only for a value of another kind.
        func optionalText(_ name: String) -> String?? {
            switch self[name] {
            case .none, .null: .some(nil)
            case .text(let text): text
            case .number: nil
            }
        }

        /// Nil only for a value of another kind.
        func optionalNumber(_ name: String) -> Int64?? {
            switch self[name] {
            case .none, .null: .some(nil)
            case .number(let number): number
            case .text: nil
            }
        }
    }

    /// The members of `bytes`; nil for what is no object of texts, short whole numbers and null, has one name twice, or is
    /// written in an unusual way.
    static func members(_ bytes: [UInt8]) -> Members? {
        var reader = Reader(bytes)
        return reader.members()
    }
}

extension FlatJSON {
    private struct Reader {
        private let bytes: [UInt8]
        private var place = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        mutating func members() -> Members? {
            var members = Members()
            guard take("{") else { return nil }
            if !take("}") {
                repeat {
                    guard let name = text(), take(":"), let value = value() else { return nil }
                    guard members[name] == nil else { return nil }
                    members.all.append((name, value))
                } while take(",")
                guard take("}") else { return nil }
            }
            skipSpace()
            return place == bytes.count ? members : nil
        }

        private mutating func value() -> Value? {
            skipSpace()
            guard place < bytes.count else { return nil }
            switch bytes[place] {
            case UInt8(ascii: "\""): return text().map(Value.text)
            case UInt8(ascii: "n"):
                guard bytes[place...].starts(with: "null".utf8) else { return nil }
                place += 4
                return .null
            default: return number().map(Value.number)
            }
        }

        /// Up to 18 digits: they fit. A fraction or an exponent is somebody else's to understand.
        private mutating func number() -> Int64? {
            let isNegative = bytes[place] == UInt8(ascii: "-")
            if isNegative { place += 1 }
            let start = place
            var value: Int64 = 0
            while place < bytes.count, case let digit = bytes[place],
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit)
            {
                guard place - start < 18 else { return nil }
                value = value * 10 + Int64(digit - UInt8(ascii: "0"))
                place += 1
            }
            guard place > start, bytes[start] != UInt8(ascii: "0") || place == start + 1 else { return nil }
            return isNegative ? -value : value
        }

        private mutating func text() -> String? {
            guard take("\"") else { return nil }
            let start = place
            while place < bytes.count {
                switch bytes[place] {
                case UInt8(ascii: "\""):
                    defer { place += 1 }
                    return String(validating: bytes[start..<place], as: UTF8.self)
                case UInt8(ascii: "\\"):
                    return escapedText(after: Array(bytes[start..<place]))
                case 0..<0x20:
                    return nil
                default:
                    place += 1
                }
            }
            return nil
        }

        /// The rest of a text that has escapes; `\u` only for what is one character by itself and not zero.
        private mutating func escapedText(after begin: [UInt8]) -> String? {
            var text = begin
            while place < bytes.count {
                let byte = bytes[place]
                place += 1
                switch byte {
                case UInt8(ascii: "\""): return String(validating: text, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard place < bytes.count else { return nil }
                    let escape = bytes[place]
                    place += 1
                    switch escape {
                    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
                    case UInt8(ascii: "n"): text.append(0x0A)
                    case UInt8(ascii: "t"): text.append(0x09)
                    case UInt8(ascii: "r"): text.append(0x0D)
                    case UInt8(ascii: "b"): text.append(0x08)
                    case UInt8(ascii: "f"): text.append(0x0C)
                    case UInt8(ascii: "u"):
                        guard let character = hexadecimal() else { return nil }
                        text += String(character).utf8
                    default: return nil
                    }
                case 0..<0x20: return nil
                default: text.append(byte)
                }
            }
            return nil
        }

        private mutating func hexadecimal() -> Unicode.Scalar? {
            guard place + 4 <= bytes.count else { return nil }
            var value: UInt32 = 0
            for byte in bytes[place..<place + 4] {
                guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
                value = value << 4 | UInt32(digit)
            }
            place += 4
            // Nil for half of a pair.
            return value == 0 ? nil : Unicode.Scalar(value)
        }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            skipSpace()
            guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
            place += 1
            return true
        }

        private mutating func skipSpace() {
            while place < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[place]) { place += 1 }
        }
    }
}
