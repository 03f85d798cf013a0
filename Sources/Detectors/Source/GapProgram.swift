internal import Glibc
package import Host

/// A program of a person's that says what the lost projections of a gap looked like. It is started with the source, and
/// asked once for each gap that is filled:
///
/// ```
/// from it    ready\n, once, as soon as it can be asked
/// to it      {"rows":R,"columns":C,"dtype":"<u2","before":[[n,θ],…],"after":[[n,θ]],"missing":[[n,θ],…]}\n
///            then the images of before and after, row by row
/// from it    frames N\n, N being how many are missing, then these images in the same form
/// ```
/// n are the scan's own numbers, θ degrees. One that is late, ends, answers something else or with more is ended and
/// started again, at the third time within a minute not any more; its gap is filled without it. So are gaps that come
/// while it is starting, which is no failure for ten seconds.
package final class GapProgram {
  /// Starts the program at a path, which dies with this process; these become its standard input and output.
  package typealias Start = (_ path: String, _ input: Int32, _ output: Int32) throws -> ChildProcess

  /// Which program, and what it has for a gap.
  package struct Choice: Equatable, Sendable {
    let path: String
    let wait: Duration

    /// As given.
    package init(path: String, wait: Duration) { (self.path, self.wait) = (path, wait) }
  }

  /// An image in the form of a slot, and where in the scan it is.
  struct Neighbour {
    let number: UInt64
    /// Radians.
    let theta: Double
    let bytes: UnsafeRawBufferPointer
  }

  private struct Problem: Error, CustomStringConvertible { let description: String }

  /// What goes to the program and what comes back, as far as this process has them.
  private struct Connection {
    let process: ChildProcess
    let (input, output): (Int32, Int32)
    let begun = ContinuousClock.now
    /// How much of its greeting it has said.
    var greeted = 0

    var isGreeted: Bool { greeted == GapProgram.greeting.count }
  }

  private static let greeting = Array("ready\n".utf8)
  private static let startMax: Duration = .seconds(10)

  /// Projections before a gap that the program gets, where they are known.
  static let beforeMax = 8
  private static let (failuresMax, failuresTime) = (3, Duration.seconds(60))
  private static let pipeByteCount: Int32 = 1 << 20
  /// F_SETPIPE_SZ, which Glibc shows only to those who ask for what is GNU's.
  private static let setPipeSize: Int32 = 1031
  private static let killLimit: Duration = .seconds(1)
  /// How long an answer is looked at for more than was asked for. What a program writes at once is there by then.
  private static let moreLimit: Duration = .milliseconds(5)

  private let choice: Choice
  private let start: Start
  private let (rows, columns, pixel): (Int, Int, PixelType)
  private let noticed: (SourceNotice) -> Void
  private var connection: Connection?
  /// When it failed, the last times.
  private var failures: [ContinuousClock.Instant] = []
  private var isOff = false

  /// Starts the program, for images of so many rows and columns; `noticed` hears what is wrong with it.
  init(
    _ choice: Choice, rows: Int, columns: Int, pixel: PixelType, start: @escaping Start,
    noticed: @escaping (SourceNotice) -> Void
  ) {
    (self.choice, self.start, self.noticed) = (choice, start, noticed)
    (self.rows, self.columns, self.pixel) = (rows, columns, pixel)
    attempt { if connection == nil { connection = try begin() } }
  }

  deinit { end() }

  /// Asks for the images between `before`, the oldest first, and `behind`: their numbers and thetas are `missing`.
  /// `answer` has room for exactly these. False where the program has not made them within its time; then `answer` may
  /// hold anything.
  func fill(
    _ missing: [(number: UInt64, theta: Double)], before: [Neighbour], behind: Neighbour,
    into answer: UnsafeMutableRawBufferPointer
  ) -> Bool {
    guard !isOff else { return false }
    var (deadline, isReady) = (Deadline(after: choice.wait), false)
    let worked = attempt {
      if connection == nil { connection = try begin() }
      let wasGreeted = connection?.isGreeted == true
      isReady = try isGreeted(deadline)
      guard isReady, let connection else { return }
      // Once a start: what was left of the time when it came may be too little for any answer.
      if !wasGreeted { deadline = Deadline(after: choice.wait) }
      try expectSilence(connection)
      func words(_ places: [(UInt64, Double)]) -> String {
        "[" + places.map { "[\($0),\($1 * 180 / .pi)]" }.joined(separator: ",") + "]"
      }
      let header =
        "{\"rows\":\(rows),\"columns\":\(columns),\"dtype\":\"\(pixel.arrayType)\","
        + "\"before\":\(words(before.map { ($0.number, $0.theta) })),"
        + "\"after\":\(words([(behind.number, behind.theta)])),\"missing\":\(words(missing))}\n"
      try Array(header.utf8).withUnsafeBytes { try send($0, connection, deadline) }
      for image in before + [behind] { try send(image.bytes, connection, deadline) }
      try take(missing.count, into: answer, connection, deadline)
      try expectNoMore(missing.count, answer.count, connection)
      try check(answer)
    }
    return worked && isReady
  }

  /// Whether the program has said that it can be asked; it is waited for.
  private func isGreeted(_ deadline: Deadline) throws -> Bool {
    while let connection, !connection.isGreeted {
      guard try !Poll.wait(readable: [connection.output], timeout: deadline.remaining).isEmpty else {
        guard connection.begun.duration(to: .now) < Self.startMax else {
          throw Problem(description: "did not say that it is ready within \(Self.startMax)")
        }
        return false
      }
      var byte: UInt8 = 0
      try withUnsafeMutableBytes(of: &byte) { try take($0, connection, deadline) }
      guard byte == Self.greeting[connection.greeted] else {
        throw Problem(description: "does not say ready before it is asked")
      }
      self.connection?.greeted += 1
    }
    return connection != nil
  }

  /// Whether it worked; what did not is told, and the program ended.
  @discardableResult
  private func attempt(_ work: () throws -> Void) -> Bool {
    do {
      try work()
      return true
    } catch {
      end()
      failures = (failures + [.now]).suffix(Self.failuresMax)
      isOff = failures.count == Self.failuresMax && failures[0].duration(to: .now) < Self.failuresTime
      let words = "on-gap: the program \(choice.path) \(error); gaps are interpolated "
      noticed(
        isOff
          ? .gaveUp(words + "from here on, and it is not asked any more")
          : .remark(words + "meanwhile, and from its third failure within a minute on it is not asked any more"))
      guard !isOff else { return false }
      // It shall be ready at the next gap. What is wrong with the start is told then.
      connection = try? begin()
      return false
    }
  }

  private func begin() throws -> Connection {
    var (toProgram, fromProgram): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    guard pipe(&toProgram) == 0 else { throw Problem(description: "has no pipe: \(Errno.current)") }
    guard pipe(&fromProgram) == 0 else {
      let error = Errno.current
      for end in toProgram { close(end) }
      throw Problem(description: "has no pipe: \(error)")
    }
    defer {
      close(toProgram[0])
      close(fromProgram[1])
    }
    // Only this end: the program may wait for what comes.
    for end in [toProgram[1], fromProgram[0]] {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      // Where that is more than it may have, images go in more pieces.
      _ = fcntl(end, Self.setPipeSize, Self.pipeByteCount)
    }
    do {
      return Connection(
        process: try start(choice.path, toProgram[0], fromProgram[1]), input: toProgram[1],
        output: fromProgram[0])
    } catch {
      close(toProgram[1])
      close(fromProgram[0])
      throw Problem(description: "cannot be started: \(error)")
    }
  }

  /// What lies there before it is asked is no answer.
  private func expectSilence(_ connection: Connection) throws {
    guard try !Poll.wait(readable: [connection.output], timeout: .zero).isEmpty else { return }
    var byte: UInt8 = 0
    throw Problem(description: read(connection.output, &byte, 1) == 0 ? "ended" : "answers before it is asked")
  }

  private func send(_ bytes: UnsafeRawBufferPointer, _ connection: Connection, _ deadline: Deadline) throws {
    var rest = bytes
    while !rest.isEmpty {
      let count = write(connection.input, rest.baseAddress, rest.count)
      if count > 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else if count < 0, errno != EAGAIN, errno != EINTR {
        throw Problem(description: errno == EPIPE ? "ended" : "takes nothing: \(Errno.current)")
      } else if try !Poll.wait(writable: connection.input, timeout: deadline.remaining) {
        throw late
      }
    }
  }

  private var late: Problem { Problem(description: "gave no answer within \(choice.wait)") }

  private func take(
    _ frames: Int, into answer: UnsafeMutableRawBufferPointer, _ connection: Connection, _ deadline: Deadline
  ) throws {
    // One byte at a time: another answer may be shorter, and nothing comes behind it.
    for expected in "frames \(frames)\n".utf8 {
      var byte: UInt8 = 0
      try withUnsafeMutableBytes(of: &byte) { try take($0, connection, deadline) }
      guard byte == expected else { throw Problem(description: "does not begin its answer with frames \(frames)") }
    }
    try take(answer, connection, deadline)
  }

  /// Images of another size come one behind the other as if they had this one: what is too much is all that shows it.
  private func expectNoMore(_ frames: Int, _ byteCount: Int, _ connection: Connection) throws {
    guard try !Poll.wait(readable: [connection.output], timeout: Self.moreLimit).isEmpty else { return }
    var byte: UInt8 = 0
    // One that has ended has answered all the same.
    guard read(connection.output, &byte, 1) > 0 else { return }
    throw Problem(
      description: "answers with more than the \(byteCount) B of \(frames) × \(rows) × \(columns) \(pixel.arrayType)")
  }

  private func take(_ target: UnsafeMutableRawBufferPointer, _ connection: Connection, _ deadline: Deadline) throws {
    var rest = target
    while !rest.isEmpty {
      guard try !Poll.wait(readable: [connection.output], timeout: deadline.remaining).isEmpty else {
        guard rest.count < target.count else { throw late }
        throw Problem(description: "gave \(target.count - rest.count) of \(target.count) B within \(choice.wait)")
      }
      let count = read(connection.output, rest.baseAddress, rest.count)
      if count > 0 {
        rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
      } else if count == 0 {
        throw Problem(description: "ended")
      } else if errno != EAGAIN, errno != EINTR {
        throw Problem(description: "gives nothing: \(Errno.current)")
      }
    }
  }

  /// Counts may be any; numbers that are none would spoil every voxel.
  private func check(_ answer: UnsafeMutableRawBufferPointer) throws {
    guard pixel == .float32 else { return }
    guard answer.assumingMemoryBound(to: Float.self).allSatisfy(\.isFinite) else {
      throw Problem(description: "answers with NaN or infinity")
    }
  }

  private func end() {
    guard let connection else { return }
    close(connection.input)
    close(connection.output)
    // It dies with this process at the latest.
    do {
      try connection.process.killGroup()
      _ = try connection.process.waitForExit(timeout: Self.killLimit)
    } catch { noticed(.remark("on-gap: the program \(choice.path): \(error)")) }
    self.connection = nil
  }
}

extension PixelType {
  /// As NumPy writes it.
  fileprivate var arrayType: String {
    switch self {
    case .uint8: "|u1"
    case .uint16: "<u2"
    case .uint32: "<u4"
    case .float32: "<f4"
    }
  }
}
