/// A request that is complete and within the limits.
struct Request: Equatable {
  enum Method: String {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
  }

  let method: Method
  /// Before the question mark, as it was sent: begins with a slash, with nothing decoded.
  let path: String
  /// Decoded names and values; of a name that comes twice, the first.
  let query: [String: String]
  /// By lower-case name; none comes twice.
  let headers: [String: String]
  let body: [UInt8]
  /// Whether the connection stays open after the response.
  let keepsAlive: Bool

  /// The body as a form (`application/x-www-form-urlencoded`).
  var form: [String: String] { Self.fields(String(decoding: body, as: UTF8.self)) }

  /// The value of a cookie.
  func cookie(_ name: String) -> String? {
    for pair in (headers["cookie"] ?? "").split(separator: ";") {
      let parts = pair.split(separator: "=", maxSplits: 1)
      if parts.count == 2, parts[0].filter({ $0 != " " }) == name { return parts[1].filter { $0 != " " } }
    }
    return nil
  }

  /// The fields of a query or a form.
  static func fields(_ text: String) -> [String: String] {
    var fields: [String: String] = [:]
    for pair in text.split(separator: "&").prefix(32) {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { decode(String($0)) }
      if let name = parts[0], fields[name] == nil { fields[name] = parts.count == 2 ? parts[1] : "" }
    }
    return fields
  }

  /// Percent-decoding; nil where two hexadecimal digits are missing or the result is not UTF-8.
  private static func decode(_ text: String) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
          return nil
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
      default: bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
