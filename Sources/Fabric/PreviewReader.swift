internal import Host
package import Rings

/// The far end of previews: the newest projection of a run in fewer pixels, and each newer one as it comes. Whoever
/// may publish there may have made it: nothing of it is believed before it is checked, and what is none is counted.
/// Use from one thread at a time.
package final class PreviewReader {
  /// A preview with its pixels.
  package struct Preview: Sendable {
    /// What it is of.
    package let message: PreviewMessage
    /// Its pixels, row by row.
    package let pixels: [Float]
  }

  /// Messages that were no preview of the run.
  package private(set) var damaged = 0
  /// Why the servers could not be asked for the newest one the last time; nil where they answered.
  package private(set) var trouble: FabricError?
  private let stream: PreviewStream
  private let inbox: FabricInbox
  private let askPeriod: Duration
  /// The newest that was given.
  private var given: PreviewMessage?
  private var isAsked = false
  private var askDue = ContinuousClock.now

  /// Reads those of a run. While none comes the servers are asked once an `askPeriod`, and have `limit` to answer.
  package init(
    _ connection: FabricConnection, run: RunID, askPeriod: Duration = .seconds(5), limit: Duration = .seconds(10)
  ) throws(FabricError) {
    self.askPeriod = askPeriod
    stream = try PreviewStream(connection, run: run, limit: limit)
    // Before the newest one is asked for: none comes between.
    inbox = try FabricInbox(connection, subject: PreviewStream.subject(run))
  }

  /// The next one that is newer than what was given, at first the newest that there is; nil where none comes before
  /// `timeout`, or soon after where servers do not answer.
  package func next(timeout: Duration) throws(FabricError) -> Preview? {
    let deadline = Deadline(after: timeout)
    while true {
      if ContinuousClock.now >= askDue, let preview = try ask() { return preview }
      if let message = try inbox.next(timeout: min(deadline.remaining, Self.turn)), let preview = take(message.bytes) {
        askDue = .now + askPeriod
        return preview
      }
      if deadline.hasPassed { return nil }
    }
  }

  private static let turn: Duration = .milliseconds(200)

  /// The newest that the servers have, where it was not given. What was sent while the connection was away has not come
  /// by itself.
  private func ask() throws(FabricError) -> Preview? {
    defer { askDue = .now + askPeriod }
    do throws(FabricError) {
      let newest = try stream.newestBytes(), isFirst = !isAsked
      (isAsked, trouble) = (true, nil)
      return newest.flatMap { $0.withUnsafeBytes { take($0, counting: isFirst) } }
    } catch {
      // Servers that were there may come back.
      guard isAsked else { throw error }
      trouble = error
      return nil
    }
  }

  /// A preview, where it is one, and newer than the last; what is none is counted, unless it may have been before.
  private func take(_ bytes: UnsafeRawBufferPointer, counting: Bool = true) -> Preview? {
    guard let (message, pixels) = try? PreviewMessage.decode(bytes, run: stream.run) else {
      if counting { damaged += 1 }
      return nil
    }
    // What was shown before it was known to be the last comes once more.
    guard given.map({ message.projection > $0.projection || message.ends($0) }) ?? true else { return nil }
    given = message
    return Preview(message: message, pixels: pixels.withUnsafeBytes { Self.floats($0, message) })
  }

  private static func floats(_ bytes: UnsafeRawBufferPointer, _ message: PreviewMessage) -> [Float] {
    switch message.pixel {
    case .uint8: bytes.map(Float.init)
    case .uint16: bytes.assumingMemoryBound(to: UInt16.self).map(Float.init)
    case .uint32: bytes.assumingMemoryBound(to: UInt32.self).map(Float.init)
    case .float32: Array(bytes.assumingMemoryBound(to: Float.self))
    }
  }
}
