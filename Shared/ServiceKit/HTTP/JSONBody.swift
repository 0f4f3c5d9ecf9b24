public import Foundation
public import Hummingbird
import NIOCore

/// The body of a request, decoded.
///
/// - Throws: ``Problem`` 413 for a body over 1 MiB, 415 for one that is not JSON by its own account, 400 for malformed
///   JSON, 422 naming the field that is missing, of the wrong type, out of the type's range or holds U+0000
///   (which PostgreSQL cannot store).
public func requireJSON<T: Decodable>(
    _ type: T.Type, from request: Request, context: some RequestContext
) async throws -> T {
    try JSONBody.checkContentType(request.headers[.contentType])
    let body = try await request.body.collect(upTo: HTTPLimits.maxBodyBytes)
    return try JSONBody.decode(type, from: Array(body.readableBytesView))
}

/// The same for a body that may be left out: then nil.
public func optionalJSON<T: Decodable>(
    _ type: T.Type, from request: Request, context: some RequestContext
) async throws -> T? {
    let body = try await request.body.collect(upTo: HTTPLimits.maxBodyBytes)
    guard body.readableBytes > 0 else { return nil }
    try JSONBody.checkContentType(request.headers[.contentType])
    return try JSONBody.decode(type, from: Array(body.readableBytesView))
}

/// The body of a request as it came, once it is known to be JSON; for what is decoded further in.
///
/// - Throws: ``Problem`` as ``requireJSON(_:from:context:)``, but 422 only for U+0000.
public func requireRawJSON(from request: Request, context: some RequestContext) async throws -> Data {
    try JSONBody.checkContentType(request.headers[.contentType])
    let body = try await request.body.collect(upTo: HTTPLimits.maxBodyBytes)
    return try JSONBody.checked(Array(body.readableBytesView))
}

/// The same for JSON that came inside another body.
package func checkedJSON(_ text: String) throws(Problem) -> Data { try JSONBody.checked(Array(text.utf8)) }

/// The pure part of ``requireJSON(_:from:context:)``.
enum JSONBody {
    /// Without the header nothing is claimed, so nothing is wrong.
    static func checkContentType(_ header: String?) throws(Problem) {
        guard header == nil || isJSON(header) else { throw .unsupportedMediaType }
    }

    static func isJSON(_ contentType: String?) -> Bool {
        let type = contentType?.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        return type == "application/json"
    }

    static func decode<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) throws(Problem) -> T {
        let findings = JSONSyntax.check(bytes)
        guard findings.isValid else { throw malformed }
        let data = Data(bytes)
        do {
            let value = try JSONCoding.decoder.decode(type, from: data)
            if findings.holdsNull { throw nullProblem(data) }
            if findings.holdsFraction, let path = JSONNumbers.rounded(type, bytes) { throw outOfRange(path) }
            return value
        } catch let error as DecodingError {
            throw problem(error, type, bytes)
        } catch let error as Problem {
            // Of the null above, or of a type that checks its own values.
            throw error
        } catch {
            throw malformed
        }
    }

    static func checked(_ bytes: [UInt8]) throws(Problem) -> Data {
        let findings = JSONSyntax.check(bytes)
        guard findings.isValid else { throw malformed }
        let data = Data(bytes)
        if findings.holdsNull { throw nullProblem(data) }
        return data
    }

    private static let malformed = Problem.badRequest("the body is not valid JSON")

    private static func outOfRange(_ path: JSONPath) -> Problem {
        .unprocessable("\(path) is not valid or out of range")
    }

    private static func problem<T: Decodable>(_ error: DecodingError, _ type: T.Type, _ bytes: [UInt8]) -> Problem {
        switch error {
        case .keyNotFound(let key, let context):
            return .unprocessable("\(JSONPath(context.codingPath + [key])) is missing")
        case .valueNotFound(_, let context):
            return .unprocessable("\(JSONPath(context.codingPath)) must not be null")
        case .typeMismatch(let type, let context):
            return .unprocessable("\(JSONPath(context.codingPath)) must be \(noun(type))")
        case .dataCorrupted(let context):
            // Foundation does not say where a number is that does not fit.
            let place = context.codingPath.isEmpty ? JSONNumbers.unreadable(type, bytes) : JSONPath(context.codingPath)
            return outOfRange(place ?? JSONPath())
        @unknown default: return malformed
        }
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

    /// Only now is it worth finding out where it is.
    private static func nullProblem(_ data: Data) -> Problem {
        do {
            let document = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
            return .unprocessable("\(pathOfNull(document, JSONPath()) ?? JSONPath()) must not contain U+0000")
        } catch {
            return malformed
        }
    }

    private static func pathOfNull(_ value: Any, _ path: JSONPath) -> JSONPath? {
        switch value {
        case let text as String: return text.unicodeScalars.contains("\0") ? path : nil
        case let array as [Any]:
            for (index, element) in array.enumerated() {
                if let found = pathOfNull(element, path.appending(index: index)) { return found }
            }
        case let object as [String: Any]:
            for (key, element) in object {
                if key.unicodeScalars.contains("\0") { return path }
                if let found = pathOfNull(element, path.appending(key)) { return found }
            }
        default: break
        }
        return nil
    }
}
