import Glibc
import Testing

/// A client that sends exactly the bytes that it is told to.
final class Client {
  private let descriptor: Int32

  /// An answer: its status, headers by lower-case name, and what came after them.
  struct Answer {
    let status: Int
    let headers: [String: String]
    let body: [UInt8]
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    let result = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(result == 0, "connect: \(String(cString: strerror(errno)))")
  }

  deinit { close(descriptor) }

  func send(_ text: String) {
    let bytes = Array(text.utf8)
    Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  /// Drops whatever comes from now on before this machine's TCP sees it, as if the machine had lost its network.
  func vanish() throws {
    // One instruction of a classic BPF program (BPF_RET | BPF_K, 0): keep no byte.
    var filter: UInt64 = 6
    let result = withUnsafeMutablePointer(to: &filter) { filter in
      // Sound: the layout of `sock_fprog`, the number of instructions and where they are; the system copies them.
      var program = (count: UInt16(1), filter: filter)
      let size = socklen_t(MemoryLayout.size(ofValue: program))
      return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, size)
    }
    try #require(result == 0, "SO_ATTACH_FILTER: \(String(cString: strerror(errno)))")
  }

  /// What comes next; empty at the end, or where nothing comes for a minute.
  func receive() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 65536)
    var count = -1
    // What a test before this one had under way in io_uring interrupts its thread, and a socket with a time limit is
    // not waited for again.
    repeat { count = recv(descriptor, &buffer, buffer.count, 0) } while count < 0 && errno == EINTR
    return Array(buffer[..<max(0, count)])
  }

  /// Everything until `isComplete` or the end.
  func receive(until isComplete: ([UInt8]) -> Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    while !isComplete(bytes) {
      let more = receive()
      if more.isEmpty { break }
      bytes += more
    }
    return bytes
  }

  /// One answer with a stated length.
  func answer() throws -> Answer {
    var head: (status: Int, headers: [String: String], end: Int)?
    let bytes = receive { bytes in
      if head == nil { head = Self.head(bytes) }
      guard let head else { return false }
      return bytes.count >= head.end + (Int(head.headers["content-length"] ?? "0") ?? 0)
    }
    let (status, headers, end) = try #require(head, "no answer: \(String(decoding: bytes, as: UTF8.self))")
    return Answer(status: status, headers: headers, body: Array(bytes[end...]))
  }

  private static func head(_ bytes: [UInt8]) -> (status: Int, headers: [String: String], end: Int)? {
    guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: [13, 10, 13, 10]) }) else { return nil }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
    guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    return (status, headers, end + 4)
  }

  /// Sends a request on a connection of its own.
  static func request(
    _ path: String, method: String = "GET", port: UInt16, headers: [String: String] = [:], body: String = ""
  ) throws -> Answer {
    let client = try Client(port: port)
    let all = ["Host": "127.0.0.1:\(port)", "Connection": "close"].merging(headers) { $1 }
    let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
    client.send("\(method) \(path) HTTP/1.1\r\n" + all.map { "\($0): \($1)\r\n" }.joined() + length + "\r\n" + body)
    return try client.answer()
  }
}
