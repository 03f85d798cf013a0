import Foundation
import Glibc
import Host
import Journal
import Testing

/// A process that writes a journal, killed with this object if it still runs.
private final class Exerciser {
  let process: ChildProcess
  private let output = Pipe()

  init(_ mode: String, _ folder: String, _ options: [String: UInt64]) throws(HostError) {
    // The products of a build lie beside each other, the test bundle among them.
    let executable =
      URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
      + "/JournalExerciser"
    let values = options.map { "\($0.key)=\($0.value)" } + ["parent=\(getpid())"]
    process = try ChildProcess(
      executable: executable, arguments: [mode, folder] + values,
      standardOutput: output.fileHandleForWriting.fileDescriptor)
    output.fileHandleForWriting.closeFile()
  }

  /// The last count of durable records that it said, waiting for the first; 0 if it ended before.
  func durable() throws -> UInt64 {
    let descriptor = output.fileHandleForReading.fileDescriptor
    guard try !Poll.wait(readable: [descriptor], timeout: .seconds(60)).isEmpty else { return 0 }
    return output.fileHandleForReading.availableData.suffix(8).withUnsafeBytes {
      $0.count == 8 ? $0.loadUnaligned(as: UInt64.self) : 0
    }
  }

  /// What it wrote until it ended.
  func words() -> [Substring] {
    String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).split(separator: " ")
  }

  func end() throws { try process.signal(SIGKILL) }
}

@Suite(.serialized) struct ProcessTests {
  @Test(arguments: [false, true])
  func `whatever moment a writer is killed at, what it said is durable is there and stays as it is`(
    _ usesPwrite: Bool
  ) throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.path + "/journal"
    let seed: UInt64 = 1
    var random = SplitMix64(seed: seed)
    var epoch: UInt64 = 1
    for kill in 0..<12 {
      let exerciser = try Exerciser(
        "write", path, ["epoch": epoch, "payload": 61440, "segment": 8 << 20, "pwrite": usesPwrite ? 1 : 0])
      _ = try exerciser.durable()
      usleep(UInt32(random.next() % 20_000))
      let said = try exerciser.durable()
      try exerciser.end()
      #expect(try exerciser.process.waitForExit(timeout: .seconds(10)) == .killed(signal: SIGKILL))
      try check(path, said: said, epoch: epoch + 1, "seed \(seed), kill \(kill)")
      epoch += 2
    }
  }

  /// Takes over, reads everything twice, removes what nobody needs.
  private func check(_ path: String, said: UInt64, epoch: UInt64, _ comment: Comment) throws {
    var options = JournalOptions()
    options.segmentByteCount = 8 << 20
    let writer = try JournalWriter(
      device: try openJournalDevice(folder: path), identity: testIdentity, stride: 65536, epoch: epoch, options: options
    )
    #expect(writer.recovery.nextSequence >= said, comment)
    let first = try verifyJournal(device: try openJournalDevice(folder: path), identity: testIdentity, stride: 65536)
    let second = try verifyJournal(device: try openJournalDevice(folder: path), identity: testIdentity, stride: 65536)
    #expect(first == second && first.isIntact && first.nextSequence == writer.state.nextSequence, comment)
    _ = try writer.retire(below: writer.state.nextSequence)
    try writer.close()
  }

  @Test func `a journal that a living process writes is refused to another`() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let exerciser = try Exerciser(
      "write", folder.path + "/journal", ["until": 1 << 40, "payload": 4096, "segment": 1 << 20])
    defer { withExtendedLifetime(exerciser) {} }
    _ = try exerciser.durable()
    var options = JournalOptions()
    options.lockWait = .milliseconds(50)
    #expect(throws: JournalError.locked(folder: folder.path + "/journal", waited: .milliseconds(50))) {
      _ = try JournalWriter(
        device: try openJournalDevice(folder: folder.path + "/journal"), identity: testIdentity, stride: 8192, epoch: 2,
        options: options)
    }
    try exerciser.end()
    #expect(try exerciser.process.waitForExit(timeout: .seconds(10)) == .killed(signal: SIGKILL))
  }

  @Test func `the journal keeps up with the device`() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let exerciser = try Exerciser(
      "rate", folder.path + "/journal", ["payload": 1 << 20, "bytes": 64 << 20, "rounds": 3])
    #expect(try exerciser.process.waitForExit(timeout: .seconds(60)) == .exited(0))
    let words = exerciser.words()
    try #require(words.count > 5)
    let (journal, raw) = (try #require(Int(words[3])), try #require(Int(words[5])))
    // Far below what it reaches: other tests use the same disk and cores.
    #expect(journal * 3 > raw, "\(words.joined(separator: " "))")
  }
}
