import Foundation
import Glibc
import Host

/// How far a sink has taken an outbox: the content of `sink-0.json`. All events before `offset` are taken or refused;
/// some behind it may be, and are sent once more by a successor.
struct SinkCursor: Codable, Equatable {
  /// The sink's address: another one begins at the first event.
  let sink: String
  /// In the outbox, in bytes.
  var offset = 0
  /// Events before it that the sink has.
  var sent = 0
  /// Events before it that it refused, or that were damaged in the outbox.
  var refused = 0

  /// The cursor of a sink that has nothing.
  init(sink: String) { self.sink = sink }

  /// What is saved in `path` for a sink; the beginning where nothing is, or something else.
  static func read(_ path: String, sink: String) -> SinkCursor {
    guard let cursor = EventFile.read(SinkCursor.self, path), cursor.sink == sink, cursor.offset >= 0,
      cursor.sent >= 0, cursor.refused >= 0
    else { return SinkCursor(sink: sink) }
    return cursor
  }
}

/// Small files of JSON in a run's folder of events.
enum EventFile {
  private static let byteCountMax = 64 << 10

  /// What a file holds; nil where there is none, or something else.
  static func read<Value: Decodable>(_ type: Value.Type, _ path: String) -> Value? {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: byteCountMax)
    guard isRegularFile(descriptor), case let count = Glibc.read(descriptor, &bytes, bytes.count), count > 0 else {
      return nil
    }
    return try? JSONDecoder().decode(type, from: Data(bytes[..<count]))
  }

  /// Writes a file, complete or not at all; whether it could.
  static func write(_ value: some Encodable, _ path: String) -> Bool {
    guard let text = try? JSONEncoder().encode(value) else { preconditionFailure("\(value) is no JSON") }
    do {
      try writeFileAtomically(path: path, bytes: Array(text), isPrivate: true)
      return true
    } catch { return false }
  }
}
