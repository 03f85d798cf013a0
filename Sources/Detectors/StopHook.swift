internal import CCurl

/// Where a detector is told that its scan is over: an address of its control system, by HTTP, ZeroMQ or EPICS.
///
/// ```
/// http://host[:port]/path, https://…    POST, with the order as JSON
/// http+put://…, https+put://…           PUT without a body, as DECTRIS' SIMPLON takes its commands
/// zmq+req://host:port                   the order as JSON, and a reply
/// zmq+push://host:port                  the order as JSON, to somebody who is there
/// pva://NAME=NUMBER                     a process variable is set, as in pva://13SIM1:cam1:Acquire=0
/// ```
package struct StopHook: Equatable, Sendable, CustomStringConvertible {
  private enum Way: Equatable {
    case http(method: String, url: String)
    case zeroMQ(StreamAddress)
    case variable(PVAccessAddress, number: String)
  }

  /// As it was read.
  package let description: String
  private let way: Way

  private static let byteCountMax = 1024
  private static let putSuffix = "+put"

  /// Reads an address. Throws `.address` where it is none that can be told something.
  package init(_ text: String) throws(StreamError) {
    guard text.utf8.count <= Self.byteCountMax, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .address(text, "it has up to \(Self.byteCountMax) characters of ASCII and no blanks")
    }
    description = text
    way =
      if text.hasPrefix(StreamAddress.scheme) {
        .zeroMQ(try Self.listener(text))
      } else if text.hasPrefix(PVAccessAddress.scheme) {
        try Self.assignment(text)
      } else {
        try Self.request(text)
      }
  }

  /// Whether it can only be told with the library for EPICS.
  package var needsPVAccess: Bool { if case .variable = way { true } else { false } }

  private static func assignment(_ text: String) throws(StreamError) -> Way {
    guard let sign = text.lastIndex(of: "="), Int32(text[text.index(after: sign)...]) != nil else {
      throw .address(text, "it sets a process variable to a whole number, as in pva://13SIM1:cam1:Acquire=0")
    }
    return .variable(try PVAccessAddress(String(text[..<sign])), number: String(text[text.index(after: sign)...]))
  }

  private static func listener(_ text: String) throws(StreamError) -> StreamAddress {
    let address = try StreamAddress(text)
    guard address.pattern == .req || address.pattern == .push, address.port > 0 else {
      throw .address(text, "an order goes to zmq+req://host:port or zmq+push://host:port")
    }
    return address
  }

  private static func request(_ text: String) throws(StreamError) -> Way {
    let parts = text.split(separator: "://", maxSplits: 1)
    guard parts.count == 2, ["http", "https", "http\(putSuffix)", "https\(putSuffix)"].contains(parts[0]) else {
      throw .address(
        text, "it begins with http://, https://, http+put://, https+put://, zmq+req://, zmq+push:// or pva://")
    }
    let isPut = parts[0].hasSuffix(putSuffix)
    let url = isPut ? "\(parts[0].dropLast(putSuffix.count))://\(parts[1])" : text
    let handle = curl_url()
    defer { curl_url_cleanup(handle) }
    let result = curl_url_set(handle, CURLUPART_URL, url, 0)
    guard result == CURLUE_OK else { throw .address(text, String(cString: curl_url_strerror(result))) }
    for (part, name) in [(CURLUPART_USER, "a user's name"), (CURLUPART_PASSWORD, "a password")]
    where isThere(part, in: handle) {
      throw .address(text, "it has \(name), which everybody could read in the run's plan")
    }
    return .http(method: isPut ? "PUT" : "POST", url: url)
  }

  private static func isThere(_ part: CURLUPart, in handle: OpaquePointer?) -> Bool {
    var text: UnsafeMutablePointer<CChar>?
    defer { curl_free(text) }
    return curl_url_get(handle, part, &text, 0) == CURLUE_OK
  }

  /// Tells the detector, and waits up to `timeout` for its answer, which is returned in words. `order` is a JSON
  /// object. Throws `.refused` where nobody answers, or somebody says no.
  package func tell(_ order: String, timeout: Duration) throws(StreamError) -> String {
    switch way {
    case .http(let method, let url): return try Self.send(order, method, to: url, timeout)
    case .zeroMQ(let address): return try ZeroMQCaller(address).send(order, timeout: timeout)
    case .variable(let address, let number):
      try PVAccessLibrary.load().put(number, into: address, timeout: timeout)
      return "set to \(number)"
    }
  }

  /// Sees whether there is somebody to tell, for which it waits up to `timeout`. Throws `.refused` where there is not.
  package func reach(timeout: Duration) throws(StreamError) {
    switch way {
    case .http(_, let url): _ = try Self.request(nil, url, nil, timeout)
    case .zeroMQ(let address): _ = try Self.request(nil, "http\(address.endpoint.dropFirst("tcp".count))", nil, timeout)
    case .variable(let address, _): try PVAccessLibrary.load().put(nil, into: address, timeout: timeout)
    }
  }

  private static func send(_ order: String, _ method: String, to url: String, _ timeout: Duration) throws(StreamError)
    -> String
  {
    let status = try request(method, url, method == "PUT" ? nil : order, timeout)
    guard (200..<300).contains(status) else {
      throw .refused(address: url, reason: "it answered with HTTP status \(status)")
    }
    return "HTTP status \(status)"
  }

  /// The status of the answer; that of one without its rest is as good.
  private static func request(_ method: String?, _ url: String, _ body: String?, _ timeout: Duration)
    throws(StreamError) -> Int
  {
    var status = 0
    var message = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))
    let milliseconds = max(1, Int(timeout / .milliseconds(1)))
    let result = ccurl_send(url, method, body ?? "", milliseconds, &status, &message)
    guard result == CURLE_OK || status > 0 else {
      let detail = plainLine(message)
      throw .refused(address: url, reason: detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail)
    }
    return status
  }
}
