import Foundation
import Glibc
import Host
import Journal
import Rings
import RunModel
import TestSupport
import Testing
import Topics

/// Topics as programs in C see and write them, by `Tools/interfaces/slipring_topic.h`.
@Suite(.enabled(if: access("/usr/bin/cc", X_OK) == 0, "needs a C compiler")) struct DoorTests {
  private static let wordCount = 1000
  private static let eventCount = 40
  private let folder: TestFolder
  private let runID = RunID.random()
  private let program: String

  init() throws {
    folder = try TestFolder()
    program = folder.file("topic")
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let compiler = try ChildProcess(
      executable: "/usr/bin/cc",
      arguments: [
        "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program,
        root.appending(path: "Tools/interfaces/examples/topic.c").path,
      ])
    try #require(try compiler.waitForExit(timeout: .seconds(60)) == .exited(0))
    try #"{"status": {"phase": "scanning", "run": "\#(runID)"}}"#.write(
      toFile: folder.file("status.json"), atomically: true, encoding: .utf8)
  }

  private func run(_ arguments: String..., input: String = "") throws -> (code: Int32?, lines: [Substring]) {
    let (output, given) = (folder.file("output"), folder.file("input"))
    try input.write(toFile: given, atomically: true, encoding: .utf8)
    let files = [open(given, O_RDONLY), open(output, O_CREAT | O_TRUNC | O_WRONLY, 0o600)]
    defer { files.forEach { close($0) } }
    let process = try ChildProcess(
      executable: program, arguments: [arguments[0], folder.path] + arguments.dropFirst(), standardInput: files[0],
      standardOutput: files[1], standardError: files[1])
    let end = try process.waitForExit(timeout: .seconds(60))
    let code: Int32? = if case .exited(let code)? = end { code } else { nil }
    return (code, try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n"))
  }

  /// A topic of 41 events in its journal, of which its ring has the last three.
  private func makeTopic() throws -> Ring {
    let names = RegionNames.random(runID)
    try RegionFolder.create(try #require(names.folder))
    let ring = try Ring.create(
      name: names.ring(.projections),
      specification: RingSpecification(
        runID: runID, topic: 1, slotCount: 4, payloadCapacity: 8 * Self.wordCount, requiredReaders: 0))
    let journal = folder.file("journal/\(Topic.projections.folderName)")
    try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: true)
    let writer = try TopicWriter(ring: ring, folder: journal)
    for value in 0..<Self.eventCount {
      let claim = try writer.claim(timeout: .seconds(30))
      for byte in 0..<8 * Self.wordCount {
        claim.payload[byte] = UInt8(truncatingIfNeeded: byte &* (value + 1) >> 3)
      }
      try writer.commit(
        claim,
        EventFields(
          kind: .projection, payloadByteCount: 8 * Self.wordCount, theta: Double(value), projection: UInt64(value),
          rows: value % 2 * 100, columns: value % 2 * 40, pixel: value % 2 == 0 ? nil : .uint16))
    }
    try writer.append(kind: .end, timeout: .seconds(30)) { _ in 0 }
    try writer.flush()
    return ring
  }

  private func line(_ value: Int) -> String {
    guard value < Self.eventCount else { return "\(value) 9 0.000000 0 0" }
    let sum = (0..<8 * Self.wordCount).reduce(0) { $0 + Int(UInt8(truncatingIfNeeded: $1 &* (value + 1) >> 3)) }
    return "\(value) 1 \(value).000000 \(8 * Self.wordCount) \(sum)"
  }

  @Test func `A program reads a topic from any event on, with the ring and without it`() throws {
    let ring = try makeTopic(), expected = (0...Self.eventCount).map(line)
    #expect(try run("read", "projections").lines.map(String.init) == expected)
    #expect(try run("read", "projections.0", "17").lines.map(String.init) == Array(expected[17...]))
    try Ring.unlink(name: ring.name)
    #expect(try run("read", "projections", "3").lines.map(String.init) == Array(expected[3...]))
    #expect(try run("read", "updates.0").lines == ["the run in \(folder.path) has no topic 'updates.0'"])
    #expect(try run("read", "../journal").code == 66)
  }

  @Test func `Whatever bit of a journal or a ring is turned, a reader refuses it or reads what was written`() throws {
    let ring = try makeTopic(), expected = Set((0...Self.eventCount).map(line))
    defer { try? Ring.unlink(name: ring.name) }
    let journal = folder.file("journal/\(Topic.projections.folderName)")
    let segment = "\(journal)/" + (try #require(try Folder(journal).names().first { $0.hasSuffix(".segment") }))
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SplitMix64(seed: seed)
    for path in Array(repeating: segment, count: 15) + Array(repeating: "/dev/shm/" + ring.name, count: 15) {
      let file = open(path, O_RDWR)
      defer { close(file) }
      // Headers are hit more often than by chance.
      let page = Int.random(in: 0..<20, using: &generator) * 4096
      let place = page + Int.random(in: 0..<(Bool.random(using: &generator) ? 128 : 4096), using: &generator)
      var byte: UInt8 = 0
      pread(file, &byte, 1, place)
      var other = byte ^ 1 << UInt8.random(in: 0..<8, using: &generator)
      pwrite(file, &other, 1, place)
      let (code, lines) = try run("read", "projections")
      #expect(code != nil, "\(path) at \(place): it crashed, seed \(seed)")
      // What is in a ring's payload is checked by who wants it: the example does so for the journal's alone.
      if path == segment {
        let wrong = lines.filter { !expected.contains(String($0)) && !$0.contains("amaged") }
        #expect(wrong.isEmpty, "\(path) at \(place), seed \(seed)")
      }
      pwrite(file, &byte, 1, place)
    }
  }

  @Test func `What a program writes is a journal of whole records, which goes on with the next writer`() throws {
    _ = try makeTopic()
    for ring in try RegionNames.find(runID) { try Ring.unlink(name: ring.ring(.projections)) }
    #expect(try run("write", "notes", input: "first\nsecond\n").code == 0)
    #expect(try run("write", "notes", input: "third\n").code == 0)
    let notes = folder.file("topics/notes.0")
    let header = try Data(contentsOf: URL(filePath: notes + "/00000000000000000000.segment")).prefix(4096)
    let number = header.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 32, as: UInt32.self) }
    #expect(number >> 31 == 1)
    let report = try verifyJournal(
      device: PwriteDevice(folder: notes), identity: RingIdentity(runID: runID, topic: number, partition: 0),
      stride: 2 * 4096)
    #expect(report.isIntact && report.decision == .cleanEnd && report.nextSequence == 5 && report.epoch == 2)
    #expect(
      try run("read", "notes").lines.map { $0.split(separator: " ")[1] } == ["11", "11", "9"],
      "a reader stops at the end of the topic")
    #expect(try run("read", "notes", "4").lines.map { $0.prefix(3) } == ["4 9"])
    #expect(try run("write", "projections").lines == ["topic 'projections': it is a topic of the run itself"])
    #expect(try run("write", "no.tes").code == 74)
  }
}
