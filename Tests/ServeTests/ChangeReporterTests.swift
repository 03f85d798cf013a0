import Foundation
import Glibc
import TestSupport
import Testing

@testable import Detectors
@testable import Serve

/// Who is told of changes of scans: a program, and an address.
@Suite struct ChangeReporterTests {
  private let folder: TestFolder
  private let queue: ScanQueue

  init() throws {
    folder = try TestFolder()
    queue = try ScanQueue(new: folder)
  }

  private func program(_ lines: String) throws -> [String] {
    let path = folder.file("tell")
    try "#!/bin/sh\n\(lines)\n".write(toFile: path, atomically: true, encoding: .utf8)
    chmod(path, 0o700)
    return [path, folder.file("told")]
  }

  private func wait(_ what: String, until isTrue: () throws -> Bool) throws {
    for _ in 0..<1500 {
      if try isTrue() { return }
      usleep(10_000)
    }
    Issue.record("waited in vain: \(what)")
  }

  private func told() -> [ScanChange] {
    ChangeLog.changes(in: Array(FileManager.default.contents(atPath: folder.file("told")) ?? Data())[...], after: 0)
  }

  @Test func `A program is told each change of state once, in order, and goes on after a restart`() throws {
    let program = try program("cat >> \"$1\"")
    let reporter = try ChangeReporter(queue, program: program, hook: nil)
    _ = try queue.addScan()
    try queue.move(1, priority: 2)
    try queue.remove(1)
    try wait("two changes") { told().count == 2 }
    reporter.stop()
    // What changes while no server runs.
    try queue.retry(1)
    let next = try ChangeReporter(queue, program: program, hook: nil)
    try wait("the third") { told().count == 3 }
    next.stop()
    #expect(told().map(\.state) == [.waiting, .removed, .waiting] && told().map(\.id) == [1, 3, 4])
    #expect(reporter.untold == 0 && next.untold == 0 && reporter.takeNotices().isEmpty)
  }

  @Test func `A program that fails is told of once, and is asked again with the next change`() throws {
    let reporter = try ChangeReporter(queue, program: try program("cat > /dev/null; exit 3"), hook: nil)
    for _ in 0..<3 { _ = try queue.addScan() }
    try wait("three failures") { reporter.untold == 3 }
    reporter.stop()
    let notices = reporter.takeNotices()
    #expect(notices.count == 1 && notices[0].contains("exited with 3"), "\(notices)")
  }

  @Test func `A program that hangs does not keep its server from ending`() throws {
    let reporter = try ChangeReporter(queue, program: try program("touch \"$1\"; exec sleep 60"), hook: nil)
    _ = try queue.addScan()
    try wait("the program") { access(folder.file("told"), F_OK) == 0 }
    let time = ContinuousClock().measure { reporter.stop() }
    #expect(time < .seconds(5), "\(time)")
    #expect(reporter.untold == 1)
  }

  @Test func `More changes than may wait are dropped, counted, and told`() throws {
    // While it is at the first one, until it is let go.
    let lines = "cat >> \"$1\"; while [ ! -e \"$1.go\" ]; do sleep 0.05; done"
    let reporter = try ChangeReporter(queue, program: try program(lines), hook: nil, waitingMax: 4)
    _ = try queue.addScan()
    try wait("the first") { !told().isEmpty }
    for _ in 0..<5 {
      try queue.remove(1)
      try queue.retry(1)
    }
    try Data().write(to: URL(filePath: folder.file("told.go")))
    try wait("the last") { told().last?.id == 11 }
    reporter.stop()
    #expect(reporter.untold == 6 && told().map(\.id) == [1, 8, 9, 10, 11])
    #expect(reporter.takeNotices().first?.contains("6 changes of scans are told to nobody") == true)
  }

  @Test func `An address that nobody answers at is told of`() throws {
    let hook = try StopHook("http://127.0.0.1:1/scans")
    let reporter = try ChangeReporter(queue, program: nil, hook: hook)
    _ = try queue.addScan()
    try wait("a failure") { reporter.untold == 1 }
    reporter.stop()
    #expect(reporter.takeNotices().first?.contains("127.0.0.1:1") == true)
  }
}
