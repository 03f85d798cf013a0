import Foundation
import Host
import TestSupport
import Testing

@Suite struct AtomicFileTests {
  let folder: TestFolder
  let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("out.json")
  }

  private func content() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  @Test func `a file has its old content until it is committed, and then the new`() throws {
    try writeFileAtomically(path: path, text: "old")
    let file = try AtomicFile(path: path)
    var bytes = Array("new".utf8)
    bytes.withUnsafeMutableBytes { #expect(write(file.descriptor, $0.baseAddress, $0.count) == 3) }
    #expect(try content() == "old")
    try file.commit()
    #expect(try content() == "new")
    #expect(try folder.names() == ["out.json"])
  }

  @Test func `an abandoned or forgotten file leaves nothing`() throws {
    try AtomicFile(path: path).abandon()
    do { _ = try AtomicFile(path: path) }
    #expect(try folder.names() == [])
  }

  @Test func `the file is private until it is committed and then has the usual mode`() throws {
    func mode(_ path: String) -> mode_t {
      var status = stat()
      return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }
    let usual = folder.file("usual")
    close(open(usual, O_CREAT | O_WRONLY, 0o666))
    let file = try AtomicFile(path: path)
    let temporaryMode = mode(file.temporaryPath)
    #expect(temporaryMode == 0o600)
    try file.commit()
    #expect(mode(path) == mode(usual))
  }

  @Test func `a folder that is missing, no folder or not writable cannot be written to`() throws {
    expectFailure(73, "no folder", "create it") {
      try writeFileAtomically(path: folder.file("gone/out.json"), text: "")
    }
    try writeFileAtomically(path: path, text: "a file")
    expectFailure(73, "not a folder") { try writeFileAtomically(path: "\(path)/out.json", text: "") }
    expectFailure(73, "/proc/self") { try writeFileAtomically(path: "/proc/self/out.json", text: "") }
    expectFailure(73, "not a file") { try writeFileAtomically(path: folder.path, text: "") }
    #expect(try content() == "a file")
  }

  @Test func `what a killed process left is removed, and nothing of others`() throws {
    let names = [".slipring-12-3.tmp", ".slipring-12-notes", ".slipring-123-4.tmp", "out.json"]
    for name in names { try writeFileAtomically(path: folder.file(name), text: "") }
    try removeTemporaryFiles(in: folder.path, ofProcess: 12)
    #expect(try folder.names() == Array(names[1...]))
    try removeTemporaryFiles(in: folder.path, ofProcess: nil)
    #expect(try folder.names() == [names[1], names[3]])
  }

  @Test func `what dead processes left is removed, not what others are writing, here or on another machine`() throws {
    let mine = try AtomicFile(path: path)
    let ending = try #require(mine.temporaryPath.split(separator: ".").dropLast().last)
    let dead = try ChildProcess(executable: "/bin/true", arguments: [])
    _ = try dead.waitForExit(timeout: .seconds(30))
    let names = [
      ".slipring-\(dead.pid)-1.\(ending).tmp", ".slipring-\(dead.pid)-1.other.tmp", ".slipring-x-1.\(ending).tmp",
    ]
    for name in names { try writeFileAtomically(path: folder.file(name), text: "") }
    try removeTemporaryFilesOfDeadProcesses(in: folder.path)
    #expect(try Set(folder.names()) == Set(names[1...] + [URL(filePath: mine.temporaryPath).lastPathComponent]))
    try mine.commit()
  }

  @Test func `a name as long as names may be is written`() throws {
    let name = String(repeating: "n", count: 255)
    try writeFileAtomically(path: folder.file(name), text: "x")
    #expect(try folder.names() == [name])
  }
}
