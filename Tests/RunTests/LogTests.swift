import Foundation
import RunModel
import TestSupport
import Testing

@testable import Run

/// What is read again of logs.
@Suite struct LogTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func write(_ lines: String..., to path: String) throws {
    let url = URL(filePath: path)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: url)
  }

  private func started(_ pid: Int) -> String {
    #"{"level":"info","message":"started","pid":"\#(pid)","stage":"acquire"}"#
  }

  private func failed(_ pid: Int, _ message: String) -> String {
    #"{"level":"error","message":"\#(message)","pid":"\#(pid)","stage":"acquire"}"#
  }

  @Test func `The end of a log has no line that is cut`() throws {
    let path = folder.file("log")
    try write("one", "two", "three", to: path)
    #expect(LogEnd.read(path, byteCount: 8) == "three\n")
    #expect(LogEnd.read(path, byteCount: 100) == "one\ntwo\nthree\n")
    #expect(LogEnd.read(folder.file("none"), byteCount: 8) == nil)
  }

  @Test func `Of a stage that failed its own reason is known, and no other one's`() throws {
    let run = RunFolder(path: folder.file("run")), stage = StageName("acquire")
    #expect(Log.lastError(of: stage, pid: 7, run) == nil)
    try write(started(6), failed(6, "no room"), started(7), failed(7, "no flat fields"), to: run.log("acquire"))
    #expect(Log.lastError(of: stage, pid: 7, run) == "no flat fields")
    #expect(Log.lastError(of: stage, pid: 6, run) == nil)
    // One that failed before it could say so.
    try write(started(6), failed(6, "no room"), to: run.log("acquire"))
    #expect(Log.lastError(of: stage, pid: 7, run) == nil)
    try write(started(6), failed(6, "no room"), started(7), to: run.log("acquire"))
    #expect(Log.lastError(of: stage, pid: 7, run) == nil)
    try write(started(7), failed(7, "no flat fields"), "{ is no record", to: run.log("acquire"))
    #expect(Log.lastError(of: stage, pid: 7, run) == nil)
  }
}
