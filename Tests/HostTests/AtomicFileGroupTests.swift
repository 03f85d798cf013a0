import Foundation
import Host
import TestSupport
import Testing

@Suite struct AtomicFileGroupTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func file(_ number: Int) throws -> AtomicFile {
    let file = try AtomicFile(path: folder.file("\(100 + number)"))
    try [UInt8](repeating: 7, count: 10).withUnsafeBytes { try file.write($0) }
    return file
  }

  /// Expects that the files with these numbers have their names, and that so many others are begun.
  private func expect(_ named: [Int], unfinished: Int = 0, at location: SourceLocation = #_sourceLocation) throws {
    let names = try folder.names()
    #expect(names.compactMap { Int($0).map { $0 - 100 } } == named, sourceLocation: location)
    #expect(names.count == named.count + unfinished, "\(names)", sourceLocation: location)
  }

  @Test func `files get their names in groups and in order, the last ones with the commit`() throws {
    let group = AtomicFileGroup()
    for number in 0..<40 {
      try group.add(file(number))
      try expect(Array(0..<(number + 1) / 16 * 16), unfinished: (number + 1) % 16)
    }
    try group.commit()
    try expect(Array(0..<40))
  }

  @Test func `of a group that goes away what has no name leaves nothing, and the others stay`() throws {
    do {
      let group = AtomicFileGroup()
      for number in 0..<20 { try group.add(file(number)) }
    }
    try expect(Array(0..<16))
  }

  @Test func `a name that cannot be given is an error, and the files before it are there`() throws {
    do {
      let group = AtomicFileGroup()
      for number in 0..<5 { try group.add(file(number)) }
      try FileManager.default.createDirectory(atPath: folder.file("103"), withIntermediateDirectories: false)
      expectFailure(73, "103") { try group.commit() }
    }
    try expect([0, 1, 2, 3])
  }

  @Test func `files that are begun get their names when those who wrote them say so`() throws {
    let group = AtomicFileGroup()
    for number in 0..<37 { #expect(try group.begin(path: folder.file("\(100 + number)")).path.hasSuffix("\(number)")) }
    let whole = group.whole
    #expect(whole.count == 32 && group.waiting.count == 37)
    try expect([], unfinished: 37)
    for file in whole { try file.makeDurable() }
    try group.giveNames(whole.count)
    try expect(Array(0..<32), unfinished: 5)
    #expect(group.whole.isEmpty)
    try group.commit()
    try expect(Array(0..<37))
  }

  @Test func `an empty group is committed without looking at any folder`() throws {
    try AtomicFileGroup().commit()
  }
}
