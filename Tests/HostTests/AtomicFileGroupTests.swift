import Foundation
import Host
import TestSupport
import Testing

@Suite struct AtomicFileGroupTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// A group of so many files that are begun.
  private func group(_ count: Int) throws -> AtomicFileGroup {
    let group = AtomicFileGroup()
    for number in 0..<count {
      let path = folder.file("\(100 + number)")
      #expect(try group.begin(path: path).path == path)
    }
    return group
  }

  /// Expects that the files with these numbers have their names, and that so many others are begun.
  private func expect(_ named: [Int], unfinished: Int = 0, at location: SourceLocation = #_sourceLocation) throws {
    let names = try folder.names()
    #expect(names.compactMap { Int($0).map { $0 - 100 } } == named, sourceLocation: location)
    #expect(names.count == named.count + unfinished, "\(names)", sourceLocation: location)
  }

  @Test func `of a group that goes away what has no name leaves nothing, and the others stay`() throws {
    do {
      let group = try group(20)
      for file in group.whole { try file.makeDurable() }
      try group.giveNames(group.whole.count)
    }
    try expect(Array(0..<16))
  }

  @Test func `a name that cannot be given is an error, and the files before it are there`() throws {
    do {
      let group = try group(5)
      try FileManager.default.createDirectory(atPath: folder.file("103"), withIntermediateDirectories: false)
      expectFailure(73, "103") { try group.commit() }
    }
    try expect([0, 1, 2, 3])
  }

  @Test func `files get their names in groups and in order, the last ones with the commit`() throws {
    let group = try group(37)
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
