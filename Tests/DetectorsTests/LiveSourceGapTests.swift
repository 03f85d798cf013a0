import Foundation
import Glibc
import Host
import Rings
import RunModel
import TestSupport
import Testing

@testable import Detectors

/// What stands in place of projections that never came.
@Suite struct LiveSourceGapTests {
  /// Frames of four pixels, which all have the frame's number times 30; damaged ones say that they are packed.
  private final class Script: FrameFeed {
    private var numbers: ArraySlice<UInt64>
    private let damaged: Set<UInt64>
    private let image = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)

    init(_ numbers: [UInt64], damaged: Set<UInt64>) { (self.numbers, self.damaged) = (numbers[...], damaged) }

    deinit { image.deallocate() }

    func resume(after number: UInt64, last _: UInt64) {}

    func next(timeout: Duration) -> FeedStep {
      guard let number = numbers.popFirst() else { return .end(nil) }
      image.initializeMemory(as: UInt8.self, repeating: UInt8(30 * number))
      var header = FrameHeader(number: number)
      header.timestamp = Double(number)
      if damaged.contains(number) { header.encoding = .lz4 }
      return .frame(header, UnsafeRawBufferPointer(image))
    }
  }

  /// A frame as it was delivered.
  private struct Delivered: Equatable {
    let index: Int
    let theta: Double
    let pixel: UInt8
    let frame: UInt64
    let timestamp: Double
  }

  /// What was said, in the order in which it was.
  private final class Said {
    var words: [String] = []
    /// What is not tried any more.
    var last: String?
  }

  /// Runs a source of eight projections, of which such numbers come; nil for every frame that was damaged.
  private func run(
    _ numbers: [UInt64], damaged: Set<UInt64> = [], program: GapProgram.Choice? = nil, said: Said = Said()
  ) throws -> ([Delivered?], LossLedger) {
    let configuration = LiveSource.Configuration(
      format: FrameFormat(rows: 1, columns: 4, pixel: .uint8), rows: 0..<1, binning: 1, darks: 0, flats: 0,
      thetas: (0..<8).map { Double($0) / 4 }, fillsGaps: true, gapProgram: program)
    let source = LiveSource(configuration, feed: Script(numbers, damaged: damaged)) {
      switch $0 {
      case .remark(let words): said.words.append(words)
      case .gaveUp(let words): (said.words, said.last) = (said.words + [words], words)
      default: break
      }
    }
    source.startPrograms { try ChildProcess(executable: $0, arguments: [], standardInput: $1, standardOutput: $2) }
    let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: EventHeader.metadataCapacity, alignment: 8)
    defer {
      payload.deallocate()
      metadata.deallocate()
    }
    var delivered: [Delivered?] = []
    while case .frame(let frame) = try source.next(timeout: .zero) {
      let (index, theta) = (frame.index, frame.theta)
      guard try frame.write(into: payload, metadata: metadata) != nil else {
        delivered.append(nil)
        continue
      }
      #expect(Set(payload).count == 1)
      delivered.append(
        Delivered(
          index: index, theta: theta, pixel: payload[0], frame: metadata.load(as: UInt64.self),
          timestamp: metadata.load(fromByteOffset: 64, as: Double.self)))
    }
    return (delivered, try #require(source.losses))
  }

  @Test func `A short gap is filled with what lies between its neighbours, pixels and thetas`() throws {
    let (delivered, ledger) = try run([0, 1, 4, 5])
    #expect(delivered.map { $0?.frame } == [0, 1, 2, 3, 4, 5] && delivered.map { $0?.index } == Array(0..<6))
    #expect(delivered.map { $0?.pixel } == [0, 30, 60, 90, 120, 150])
    for (index, frame) in delivered.enumerated() { #expect(abs((frame?.theta ?? .nan) - Double(index) / 4) < 1e-12) }
    #expect(delivered.map { $0?.timestamp.isNaN } == [false, false, true, true, false, false])
    #expect(ledger.projections == 6 && ledger.interpolated == 2 && ledger.lost == 2)
  }

  @Test func `Where the image behind a gap is damaged, the gap stays, and it is lost too`() throws {
    let (delivered, ledger) = try run([0, 1, 3, 4], damaged: [3])
    #expect(delivered.map { $0?.frame } == [0, 1, nil, 4] && delivered.map { $0?.index } == [0, 1, nil, 2])
    #expect(ledger.gaps.joined().elementsEqual([2, 3]) && ledger.interpolated == 0 && ledger.losses.malformed == 1)
  }

  @Test func `What comes late finds its place taken`() throws {
    let (delivered, ledger) = try run([0, 2, 1, 3])
    #expect(delivered.map { $0?.frame } == [0, 1, 2, 3] && delivered.map { $0?.pixel } == [0, 30, 60, 90])
    #expect(ledger.duplicates == 1 && ledger.interpolated == 1 && ledger.late == 0)
  }

  @Test func `What was damaged is no neighbour of a gap`() throws {
    let (delivered, ledger) = try run([0, 1, 3, 4], damaged: [1])
    #expect(delivered.map { $0?.frame } == [0, nil, 3, 4] && ledger.interpolated == 0)
  }

  /// A script as a program, which writes what it was told into `asked`; it has `wait` for a gap.
  private func program(
    _ script: String, in folder: TestFolder, wait: Duration = .seconds(20), greeting: String = "echo ready"
  ) throws
    -> GapProgram.Choice
  {
    let path = folder.file("fill.sh")
    try Data("#!/bin/sh\n\(greeting)\nasked=\(folder.file("asked"))\n\(script)\n".utf8).write(to: URL(filePath: path))
    try #require(chmod(path, 0o700) == 0)
    return GapProgram.Choice(path: path, wait: wait)
  }

  /// Takes a question with so many images; they are bytes that text cannot hold.
  private func question(images: Int) -> String {
    "read -r line; echo \"$line\" >> $asked; dd bs=1 count=\(4 * images) 2>/dev/null | od -An -tu1 >> $asked"
  }

  @Test func `A program makes the projections of a gap from those around it`() throws {
    let folder = try TestFolder(), said = Said()
    let script =
      question(images: 3) + "; printf 'frames 2\\n<<<<===='; " + question(images: 5) + "; printf 'frames 1\\n>>>>'"
    let (delivered, ledger) = try run([0, 1, 4, 5, 7], program: program(script, in: folder), said: said)
    #expect(delivered.map { $0?.frame } == [0, 1, 2, 3, 4, 5, 6, 7], "\(said.words)")
    #expect(delivered.map { $0?.pixel } == [0, 30, 60, 61, 120, 150, 62, 210])
    #expect(delivered.map { $0?.timestamp.isNaN } == [false, false, true, true, false, false, true, false])
    #expect(ledger.generated == 3 && ledger.interpolated == 0 && ledger.lost == 3 && ledger.projections == 8)
    let again = try withUnsafeTemporaryAllocation(byteCount: EventHeader.metadataCapacity, alignment: 8) {
      let count = ledger.encode(frame: 7, timestamp: nil, into: $0)
      return try LossLedger(decoding: UnsafeRawBufferPointer(rebasing: $0[..<count]))
    }
    #expect(again == ledger && said.words.isEmpty)
    let asked = try String(contentsOfFile: folder.file("asked"), encoding: .utf8).split(separator: "\n")
    struct Question: Decodable, Equatable {
      let rows, columns: Int
      let dtype: String
      let before, after, missing: [[Double]]
      var numbers: [[Double]] { [before, after, missing].map { $0.map { $0[0] } } }
    }
    let questions = try asked.filter { $0.hasPrefix("{") }.map {
      try JSONDecoder().decode(Question.self, from: Data($0.utf8))
    }
    #expect(questions.map(\.numbers) == [[[0, 1], [4], [2, 3]], [[0, 1, 4, 5], [7], [6]]])
    #expect(questions.allSatisfy { $0.rows == 1 && $0.columns == 4 && $0.dtype == "|u1" })
    for place in (questions[0].before + questions[0].after + questions[0].missing) {
      #expect(abs(place[1] - place[0] / 4 * 180 / .pi) < 1e-9)
    }
    let images = asked.filter { !$0.hasPrefix("{") }.joined(separator: " ").split(separator: " ").compactMap { Int($0) }
    #expect(images == [0, 1, 4, 0, 1, 4, 5, 7].flatMap { [Int](repeating: 30 * $0, count: 4) })
  }

  @Test(arguments: [
    ("sleep 30", "gave no answer within"), ("exit 3", "ended"),
    ("printf 'frames 1\\nA'; sleep 30", "gave 1 of 4 B within"),
    ("printf 'frames 1\\nAAAAAA'; sleep 30", "answers with more than the 4 B of 1 × 1 × 4 |u1"),
    ("printf 'frames 2\\nAAAAAAAA'; sleep 30", "does not begin its answer with frames 1"),
    ("echo hello; sleep 30", "does not begin its answer with frames 1"),
  ])
  func `A program that does not answer is done without, and not asked a fourth time`(answer: String, problem: String)
    throws
  {
    let folder = try TestFolder(), said = Said()
    let script = "read -r line; dd bs=1 count=8 of=/dev/null 2>/dev/null; \(answer)"
    // One that is to be found late must be found so soon; others must be found for what they are.
    let wait: Duration = problem.contains("within") ? .milliseconds(300) : .seconds(20)
    let choice = try program(script, in: folder, wait: wait)
    let begun = ContinuousClock.now
    let (delivered, ledger) = try run([0, 2, 4, 6], program: choice, said: said)
    #expect(delivered.map { $0?.pixel } == [0, 30, 60, 90, 120, 150, 180])
    #expect(ledger.interpolated == 3 && ledger.generated == 0)
    #expect(said.words.count == 3 && said.words[0].contains(problem), "\(said.words)")
    #expect(said.last == said.words.last && said.words[1].contains("meanwhile"))
    #expect(said.last?.contains("from here on") == true)
    #expect(.now - begun < .seconds(15))
    #expect(try run([0, 2], program: choice).1.interpolated == 1)
  }

  @Test func `A program that speaks before it is asked, or cannot be started, is done without`() throws {
    let folder = try TestFolder(), said = Said()
    let choice = try program("sleep 30", in: folder, greeting: "echo hello")
    #expect(try run([0, 2], program: choice, said: said).1.interpolated == 1)
    #expect(said.words.count == 1, "\(said.words)")
    let none = GapProgram.Choice(path: folder.file("none"), wait: .seconds(1))
    said.words = []
    let (_, ledger) = try run([0, 2, 4, 6, 7], program: none, said: said)
    #expect(ledger.interpolated == 3 && ledger.generated == 0)
    #expect(said.words.first?.contains("cannot be started") == true && said.words.count == 3, "\(said.words)")
  }

  @Test func `A program that is still starting is done without, which is no failure`() throws {
    let folder = try TestFolder(), said = Said()
    let choice = try program("", in: folder, wait: .milliseconds(100), greeting: "sleep 30")
    let (delivered, ledger) = try run([0, 2, 4, 6, 7], program: choice, said: said)
    #expect(delivered.count == 8 && ledger.interpolated == 3 && said.words.isEmpty, "\(said.words)")
  }

  @Test func `A program that becomes ready within a gap's time has all of it for its answer`() throws {
    // It says so after 1 s of 3, and answers 2.5 s later.
    let folder = try TestFolder(), said = Said()
    let choice = try program(
      question(images: 2) + "; sleep 2.5; printf 'frames 1\\nAAAA'; sleep 30", in: folder, wait: .seconds(3),
      greeting: "sleep 1; echo ready")
    let (delivered, ledger) = try run([0, 2, 3], program: choice, said: said)
    #expect(ledger.generated == 1 && ledger.interpolated == 0 && said.words.isEmpty, "\(said.words)")
    #expect(delivered.map { $0?.pixel } == [0, 65, 60, 90])
  }

  @Test(arguments: [[4, 5, 6], [5, 6], []] as [[UInt64]])
  func `Who goes on within a gap knows that the image behind it died with the one before`(numbers: [UInt64]) throws {
    let configuration = LiveSource.Configuration(
      format: FrameFormat(rows: 1, columns: 4, pixel: .uint8), rows: 0..<1, binning: 1, darks: 0, flats: 0,
      thetas: (0..<8).map { Double($0) / 4 }, fillsGaps: true)
    let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: EventHeader.metadataCapacity, alignment: 8)
    defer {
      payload.deallocate()
      metadata.deallocate()
    }
    let before = LiveSource(configuration, feed: Script([0, 1, 4], damaged: [])) { _ in }
    var count = 0
    for _ in 0..<3 {
      guard case .frame(let frame) = try before.next(timeout: .zero) else { break }
      count = try frame.write(into: payload, metadata: metadata) ?? 0
    }
    // 0, 1, and one in place of 2.
    let source = LiveSource(configuration, feed: Script(numbers, damaged: [])) { _ in }
    #expect(try source.resume(after: 3, metadata: Array(metadata[..<count]), lost: 0) == 3)
    var frames: [UInt64] = []
    while case .frame(let frame) = try source.next(timeout: .zero) {
      if try frame.write(into: payload, metadata: metadata) != nil { frames.append(metadata.load(as: UInt64.self)) }
    }
    let ledger = try #require(source.losses)
    #expect(frames == numbers)
    #expect(ledger.projections == 3 + numbers.count && ledger.interpolated == 1)
    let lost = ledger.gaps.joined()
    #expect(
      Set(lost).isSuperset(of: numbers.contains(4) ? [2, 3] : [2, 3, 4]) && !lost.contains { numbers.contains($0) })
  }
}
