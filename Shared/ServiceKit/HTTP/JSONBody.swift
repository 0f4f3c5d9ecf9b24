import Foundation
public import Hummingbird
import NIOCore

/// The body of a request, decoded.
///
/// - Throws: ``Problem`` 413 for a body over 1 MiB, 415 for one that is not JSON by its own account, 400 for malformed
///   JSON, 422 naming the field that is missing, of the wrong type, out of the type's range or holds U+0000
///   (which PostgreSQL cannot store).
public func requireJSON<T: Decodable>(
    _ type: T.Type, from request: Request, context: ServiceRequestContext
) async throws -> T {
    try JSONBody.checkContentType(request.headers[.contentType])
    let body = try await request.body.collect(upTo: context.maxUploadSize)
    return try JSONBody.decode(type, from: Data(body.readableBytesView))
}

/// The pure part of ``requireJSON(_:from:context:)``.
enum JSONBody {
    /// Without the header nothing is claimed, so nothing is wrong.
    static func checkContentType(_ header: String?) throws(Problem) {
        guard let header else { return }
        let type = header.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        guard type == "application/json" else { throw .unsupportedMediaType }
    }

    static func decode<T: Decodable>(_ type: T.Type, from data: Data) throws(Problem) -> T {
        let value: T
        do {
            value = try JSONCoding.decoder.decode(type, from: data)
        } catch let error as DecodingError {
            throw problem(error)
        } catch let error as Problem {
            throw error
        } catch {
            throw .badRequest("the body is not valid JSON")
        }
        if mayHoldNull(data) { try refuseNull(data) }
        return value
    }

    private static func problem(_ error: DecodingError) -> Problem {
        switch error {
        case .keyNotFound(let key, let context):
            return .unprocessable("\(name(context.codingPath + [key])) is missing")
        case .valueNotFound(_, let context):
            return .unprocessable("\(name(context.codingPath)) must not be null")
        case .typeMismatch(let type, let context):
            return .unprocessable("\(name(context.codingPath)) must be \(noun(type))")
        case .dataCorrupted(let context):
            // A document that cannot be parsed has no path, or the parser's own error below it.
            if context.codingPath.isEmpty || context.underlyingError != nil {
                return .badRequest("the body is not valid JSON")
            }
            return .unprocessable("\(name(context.codingPath)) is not valid or out of range")
        @unknown default: return .badRequest("the body is not valid JSON")
        }
    }

    /// `items[0].quantity`; the document itself is "the body".
    private static func name(_ path: [any CodingKey]) -> String {
        var name = ""
        for key in path {
            if let index = key.intValue {
                name += "[\(index)]"
            } else {
                name += (name.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return name.isEmpty ? "the body" : name
    }

    private static func noun(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type: "a number"
        case is [Any].Type: "an array"
        case is [String: Any].Type: "an object"
        default: "of another type"
        }
    }

    /// In valid JSON U+0000 can only be written as an escape; an escaped backslash before `u0000` is a false alarm
    /// that the walk below settles.
    private static func mayHoldNull(_ data: Data) -> Bool { data.range(of: Data(#"\u0000"#.utf8)) != nil }

    private static func refuseNull(_ data: Data) throws(Problem) {
        let document: Any
        do {
            document = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
        } catch {
            throw .badRequest("the body is not valid JSON")
        }
        if let path = pathOfNull(document, "") {
            throw .unprocessable("\(path.isEmpty ? "the body" : path) must not contain U+0000")
        }
    }

    private static func pathOfNull(_ value: Any, _ path: String) -> String? {
        switch value {
        case let text as String: return text.unicodeScalars.contains("\0") ? path : nil
        case let array as [Any]:
            for (index, element) in array.enumerated() {
                if let found = pathOfNull(element, "\(path)[\(index)]") { return found }
            }
        case let object as [String: Any]:
            for (key, element) in object {
                if key.unicodeScalars.contains("\0") { return path }
                if let found = pathOfNull(element, path.isEmpty ? key : "\(path).\(key)") { return found }
            }
        default: break
        }
        return nil
    }
}
