import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Run

@Suite struct WorkersRequestTests {
  private let folder: TestFolder
  private let requests: RunRequests

  init() throws {
    folder = try TestFolder()
    let run = RunFolder(path: folder.path)
    try FileManager.default.createDirectory(atPath: run.requests, withIntermediateDirectories: false)
    requests = RunRequests(runFolder: run)
  }

  @Test func `Of those who ask at once one is heard, and no other is told that it was`() throws {
    for _ in 0..<20 {
      let heard = Mutex<[UInt8]>([]), requests = self.requests
      DispatchQueue.concurrentPerform(iterations: 8) { person in
        if (try? requests.placeWorkers([UInt8(person)])) == true { heard.withLock { $0.append(UInt8(person)) } }
      }
      let one = heard.withLock(\.self)
      #expect(one.count == 1)
      #expect(try requests.text(requests.folder.requests + "/workers") == one)
      #expect(try FileManager.default.contentsOfDirectory(atPath: requests.folder.requests) == ["workers"])
      try requests.answerWorkers()
    }
  }

  @Test func `What is no request is taken away, and a folder asks for nothing`() throws {
    #expect(try requests.placeWorkers(Array("add many".utf8)))
    #expect(try requests.workersChange() == nil && requests.isWorkersAnswered)
    try FileManager.default.createDirectory(
      atPath: requests.folder.requests + "/workers", withIntermediateDirectories: false)
    #expect(try requests.workersChange() == nil)
    #expect(try requests.requester(.finalize) == nil)
  }
}
