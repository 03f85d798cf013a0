import Foundation
import Glibc

/// A service manager's end of sd_notify(3): a datagram socket under a path or an abstract name.
package final class NotifySocket {
  /// What NOTIFY_SOCKET holds.
  package let address: String
  private let descriptor: Int32
  private let folder: TestFolder?

  /// Listens.
  package init(isAbstract: Bool) throws {
    folder = isAbstract ? nil : try TestFolder()
    address = folder?.file("n") ?? "@slipring-notify-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(address.utf8)
    if isAbstract { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(2 + bytes.count + (isAbstract ? 0 : 1))
    let result = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    guard result == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
  }

  deinit { close(descriptor) }

  /// The next datagram; nil where none comes for so many seconds.
  package func next(within seconds: Int32 = 30) -> String? {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var ready: Int32 = -1
    // What a test before this one had under way in io_uring interrupts its thread.
    repeat { ready = poll(&entry, 1, seconds * 1000) } while ready < 0 && errno == EINTR
    guard ready > 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
