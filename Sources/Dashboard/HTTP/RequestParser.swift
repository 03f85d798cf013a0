/// Finds requests (RFC 9112) in what a client sent. A pure function: it keeps nothing and trusts nothing.
///
/// What a page needs is understood, all else is refused: GET, HEAD and POST, a target that is a path, each header once
/// and on one line, a body of a stated length.
enum RequestParser {
  /// The first line and the headers.
  static let headBytesMax = 8192
  static let headersMax = 64
  static let bodyBytesMax = 16 << 10
  /// What HTTP has besides, and nothing here takes.
  private static let otherMethods: Set = ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY"]

  enum ParsedHead: Equatable {
    /// The rest is still to come.
    case incomplete
    /// A request, and how many bytes it took.
    case request(Request, byteCount: Int)
    /// What the client sends cannot be understood; the connection ends after this status.
    case refused(status: Int)
  }

  static func parse(_ bytes: ArraySlice<UInt8>) -> ParsedHead {
    guard beginsLikeText(bytes) else { return .refused(status: 400) }
    guard let end = endOfHead(bytes) else { return bytes.count > headBytesMax ? .refused(status: 431) : .incomplete }
    guard end - bytes.startIndex <= headBytesMax else { return .refused(status: 431) }
    guard let head = String(validating: bytes[..<end], as: UTF8.self) else { return .refused(status: 400) }
    var lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)[...]
    guard let first = lines.popFirst(), lines.count <= headersMax else {
      return .refused(status: lines.isEmpty ? 400 : 431)
    }
    guard let headers = headers(lines), headers["host"] != nil else { return .refused(status: 400) }
    let words = first.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else { return .refused(status: 400) }
    guard let method = Request.Method(rawValue: String(words[0])) else {
      return .refused(status: otherMethods.contains(String(words[0])) ? 405 : 501)
    }
    guard words[1].hasPrefix("/"), words[1].utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
      return .refused(status: 400)
    }
    guard headers["transfer-encoding"] == nil else { return .refused(status: 501) }
    guard let length = length(headers["content-length"]) else { return .refused(status: 400) }
    guard length <= bodyBytesMax else { return .refused(status: 413) }
    let bodyStart = end + 4
    guard bytes.endIndex - bodyStart >= length else { return .incomplete }
    let target = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let connection = headers["connection"]?.lowercased()
    return .request(
      Request(
        method: method, path: String(target[0]), query: target.count == 2 ? Request.fields(String(target[1])) : [:],
        headers: headers,
        body: Array(bytes[bodyStart..<bodyStart + length]),
        keepsAlive: words[2] == "HTTP/1.1" ? connection != "close" : connection == "keep-alive"),
      byteCount: bodyStart + length - bytes.startIndex)
  }

  /// A method or an empty line; what begins with anything else, as TLS does, need not be waited for.
  private static func beginsLikeText(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first else { return true }
    return first == 13 || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first & ~32)
  }

  /// The place of the empty line's CR LF CR LF.
  private static func endOfHead(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard bytes.count >= 4 else { return nil }
    for start in bytes.startIndex...min(bytes.endIndex - 4, bytes.startIndex + headBytesMax)
    where bytes[start] == 13 && bytes[start + 1] == 10 && bytes[start + 2] == 13 && bytes[start + 3] == 10 {
      return start
    }
    return nil
  }

  /// Nil where a line is no header, is folded, or comes twice: two readers could take a different one.
  private static func headers(_ lines: ArraySlice<Substring>) -> [String: String]? {
    var headers: [String: String] = [:]
    for line in lines {
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else { return nil }
      let name = line[..<colon].lowercased()
      guard name.utf8.allSatisfy({ $0 > 32 && $0 < 127 }), headers[name] == nil else { return nil }
      let value = line[line.index(after: colon)...]
      guard value.utf8.allSatisfy({ $0 >= 32 || $0 == 9 }) else { return nil }
      headers[name] = String(
        value.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
    return headers
  }

  private static func length(_ text: String?) -> Int? {
    guard let text else { return 0 }
    guard !text.isEmpty, text.utf8.count <= 9,
      text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else {
      return nil
    }
    return Int(text)
  }
}
