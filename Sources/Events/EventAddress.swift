internal import CCurl

/// Where events go.
///
/// ```
/// kafka://host:port[,host:port …]/prefix              brokers of one cluster; its topics begin with the prefix
/// diaspora+https://host[:port][/path]/prefix          POST https://host[:port][/path]/topics/prefix.runs/records …
/// diaspora+http://127.0.0.1:port[/path]/prefix        the same to a gateway on this machine
/// ```
package struct EventAddress: Equatable, Sendable, CustomStringConvertible {
  /// How they go there.
  enum Way: Equatable {
    case kafka(brokers: String)
    case diaspora(url: String)
  }

  /// As it was read.
  package let description: String
  let way: Way
  private let prefix: String

  /// A name of Kafka has 249 characters at most.
  private static let (byteCountMax, prefixMax, brokersMax) = (1024, 240, 32)
  private static let loopback = ["127.0.0.1", "localhost", "[::1]"]

  /// Reads an address. Throws `.address` where it is none that events can go to.
  package init(_ text: String) throws(EventsError) {
    guard text.utf8.count <= Self.byteCountMax, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .address(plainText(text), "it has up to \(Self.byteCountMax) characters of ASCII and no blanks")
    }
    let parts = text.split(separator: "://", maxSplits: 1)
    guard parts.count == 2, let slash = parts[1].lastIndex(of: "/") else {
      throw .address(text, "it is as kafka://host:9092/prefix or diaspora+https://host/path/prefix")
    }
    let (place, prefix) = (String(parts[1][..<slash]), String(parts[1][parts[1].index(after: slash)...]))
    guard (1...Self.prefixMax).contains(prefix.utf8.count), prefix.allSatisfy({ Self.isOfName($0) }) else {
      throw .address(text, "behind its last / is what topics begin with: letters, digits, dots, _ and -")
    }
    (description, self.prefix) = (text, prefix)
    switch parts[0] {
    case "kafka": way = .kafka(brokers: try Self.brokers(place, text))
    case "diaspora+https": way = .diaspora(url: try Self.url("https://\(place)", text))
    case "diaspora+http": way = .diaspora(url: try Self.url("http://\(place)", text))
    default: throw .address(text, "it begins with kafka:// or diaspora+https://")
    }
  }

  /// Whether it is a cluster of Kafka.
  package var isKafka: Bool { if case .kafka = way { true } else { false } }

  /// The name of a topic there.
  func name(of topic: EventTopic) -> String { "\(prefix).\(topic.rawValue)" }

  private static func isOfName(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber || "._-".contains(character))
  }

  private static func brokers(_ text: String, _ address: String) throws(EventsError) -> String {
    let brokers = text.split(separator: ",", omittingEmptySubsequences: false)
    guard brokers.count <= brokersMax else { throw .address(address, "it names more than \(brokersMax) brokers") }
    for broker in brokers {
      guard let colon = broker.lastIndex(of: ":"), UInt16(broker[broker.index(after: colon)...]) ?? 0 > 0,
        case let name = broker[..<colon], !name.isEmpty,
        name.allSatisfy({ isOfName($0) }) || (name.hasPrefix("[") && name.hasSuffix("]"))
      else { throw .address(address, "a broker is HOST:PORT, without a user or a password") }
    }
    return text
  }

  private static func url(_ url: String, _ address: String) throws(EventsError) -> String {
    let handle = curl_url()
    defer { curl_url_cleanup(handle) }
    let result = curl_url_set(handle, CURLUPART_URL, url, 0)
    guard result == CURLUE_OK else { throw .address(address, String(cString: curl_url_strerror(result))) }
    for (part, name) in [
      (CURLUPART_USER, "a user's name"), (CURLUPART_PASSWORD, "a password"), (CURLUPART_QUERY, "a query"),
      (CURLUPART_FRAGMENT, "a fragment"),
    ] where text(of: part, in: handle) != nil {
      throw .address(address, "it has \(name): what is secret belongs into the file of --events-config")
    }
    let host = text(of: CURLUPART_HOST, in: handle) ?? ""
    guard url.hasPrefix("https://") || loopback.contains(host) else {
      throw .address(address, "beyond this machine events go encrypted: diaspora+https://")
    }
    return url
  }

  private static func text(of part: CURLUPart, in handle: OpaquePointer?) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    defer { curl_free(text) }
    return curl_url_get(handle, part, &text, 0) == CURLUE_OK ? text.map { String(cString: $0) } : nil
  }
}
