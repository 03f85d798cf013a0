import TestSupport

@testable import Serve

extension ScanQueue {
  /// An empty queue.
  init(new folder: TestFolder) throws {
    self.init(folder: folder.path)
    try create()
  }

  /// Adds a scan that waits, and gives its number.
  func addScan() throws -> Int {
    try add { QueueEntry(number: $0, source: "camera", sample: "wood", state: .waiting, added: 1e9) }.number
  }
}
