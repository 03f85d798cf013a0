/// Where the servers of a fabric are: `nats://HOST:PORT[,HOST:PORT…]`, or `tls://…` for an encrypted connection.
///
/// Names of files stand beside it: the address itself holds no secret, and is printed as it is.
package struct FabricAddress: Codable, Equatable, Sendable, CustomStringConvertible {
  /// Hosts with their ports, in the order in which they are tried.
  let servers: [String]
  /// Whether the connection is encrypted, and the server must have a certificate.
  let isEncrypted: Bool
  /// The file with the seed of the key (nkey) by which the server knows who connects; nil for none.
  package var credentials: String?
  /// The file with the certificates that may vouch for the server's; nil for those of the machine.
  package var authority: String?

  private static let serversMax = 16
  private static let defaultPort = 4222

  /// Reads an address.
  package init(_ text: String) throws(FabricError) {
    // What stands before an @ would be a password, which would be printed with every message.
    if text.contains("@") { throw .address("nats://…@…", "credentials are in a file, never in an address") }
    let schemes = ["nats://": false, "tls://": true]
    guard let (scheme, isEncrypted) = schemes.first(where: { text.hasPrefix($0.key) }) else {
      throw .address(text, "it begins with neither nats:// nor tls://")
    }
    // A list may repeat the scheme before each server, as other programs write it.
    let parts = text.dropFirst(scheme.count).split(separator: ",", omittingEmptySubsequences: false).map { part in
      part.hasPrefix(scheme) ? part.dropFirst(scheme.count) : part
    }
    guard parts.count <= Self.serversMax else { throw .address(text, "it names more than \(Self.serversMax) servers") }
    var servers: [String] = []
    for part in parts { servers.append(try Self.server(String(part), of: text)) }
    (self.servers, self.isEncrypted) = (servers, isEncrypted)
  }

  /// The address as it is written.
  package var description: String { (isEncrypted ? "tls://" : "nats://") + servers.joined(separator: ",") }

  /// What is wrong with naming certificates; nil where none are, or the connection is encrypted.
  package var authorityProblem: String? {
    authority == nil || isEncrypted
      ? nil : "\(self) is not encrypted, and no certificate is looked at; write tls:// in place of nats://"
  }

  /// The servers as the library takes them.
  var locations: [String] { servers.map { (isEncrypted ? "tls://" : "nats://") + $0 } }

  /// A host with its port.
  private static func server(_ part: String, of text: String) throws(FabricError) -> String {
    var (host, port) = (Substring(part), Substring("\(defaultPort)"))
    if part.hasPrefix("[") {
      guard let end = part.firstIndex(of: "]") else { throw .address(text, "a bracket is not closed") }
      host = part[...end]
      let rest = part[part.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { throw .address(text, "a bracket is followed by '\(rest)'") }
      if !rest.isEmpty { port = rest.dropFirst() }
    } else if let colon = part.firstIndex(of: ":") {
      (host, port) = (part[..<colon], part[part.index(after: colon)...])
    }
    let isIPv6 = host.hasPrefix("[")
    let isName = host.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
      case UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"): isIPv6
      default: false
      }
    }
    guard !host.isEmpty, host.utf8.count <= 255, isName else { throw .address(text, "'\(host)' is no host") }
    guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
      throw .address(text, "'\(port)' is no port")
    }
    return "\(host):\(number)"
  }
}

extension FabricAddress {
  private enum CodingKeys: String, CodingKey { case address, credentials, authority }

  /// Reads what `encode` wrote; the address is checked again.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(try fields.decode(String.self, forKey: .address))
    credentials = try fields.decodeIfPresent(String.self, forKey: .credentials)
    authority = try fields.decodeIfPresent(String.self, forKey: .authority)
  }

  /// Writes the address as text, and the names of the files.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(description, forKey: .address)
    try fields.encodeIfPresent(credentials, forKey: .credentials)
    try fields.encodeIfPresent(authority, forKey: .authority)
  }
}
