import Foundation
import Glibc
import Host
package import ScanPlan

// What people ask for of a run's workers. Unlike other requests one is done with when it is answered: the supervisor
// removes it, and `status.json` says what came of it.
extension RunRequests {
  private struct WorkersRequest: Codable {
    let by: String
    var set: Int?
    var add: Int?
    var cores: [Int]?
    var drain: Int?

    init(by: String, _ change: BandDeal.Change) {
      self.by = by
      switch change {
      case .set(let count): set = count
      case .add(let count, let named): (add, cores) = (count, named)
      case .drain(let number): drain = number
      }
    }

    /// Nil where it asks for nothing, or for several things.
    var change: BandDeal.Change? {
      switch (set, add, drain) {
      case (let count?, nil, nil) where cores == nil: .set(count)
      case (nil, let count?, nil): .add(count, cores: cores)
      case (nil, nil, let number?) where cores == nil: .drain(number)
      default: nil
      }
    }
  }

  private var workersPath: String { "\(folder.requests)/workers" }

  /// Asks the run for other workers. `by` is who asks, for reports.
  /// - Throws: `ScanFailure`: `.noInput` where this is no run's folder, `.unavailable` where the run is not running, or
  ///   has not answered what was asked before, `.usage` for a name that is none.
  package func changeWorkers(_ change: BandDeal.Change, by: String) throws {
    try check(by)
    try makeFolder()
    guard try placeWorkers(SealedJSON.encode(WorkersRequest(by: by, change))) else {
      throw ScanFailure(.unavailable, "the run in \(folder.path) is still at what was asked of its workers before")
    }
  }

  /// Leaves a request for the supervisor, whole; false where one is there already. Of several who ask at once one is
  /// heard, and the others know that they are not.
  func placeWorkers(_ bytes: [UInt8]) throws -> Bool {
    guard access(workersPath, F_OK) != 0 else { return false }
    let own = "\(workersPath)-\(UUID().uuidString)"
    try writeFileAtomically(path: own, bytes: bytes, isPrivate: true)
    defer { unlink(own) }
    // Unlike a rename it fails where the name is taken.
    guard link(own, workersPath) != 0 else { return true }
    if errno == EEXIST { return false }
    throw ScanFailure(.inputOutput, "cannot write \(workersPath): \(String(cString: strerror(errno)))")
  }

  /// Whether nothing is asked of the workers that was not answered.
  package var isWorkersAnswered: Bool { access(workersPath, F_OK) != 0 }

  /// What was asked of the workers, and by whom; nil for nothing. A file that anything may have left there is taken
  /// away.
  func workersChange() throws(ScanFailure) -> (change: BandDeal.Change, by: String)? {
    guard let text = try text(workersPath) else { return nil }
    guard SealedJSON.check(text) == .whole,
      let request = try? JSONDecoder().decode(WorkersRequest.self, from: Data(text)),
      (1...Self.nameMax).contains(request.by.utf8.count), let change = request.change
    else {
      try answerWorkers()
      return nil
    }
    return (change, request.by)
  }

  /// Says that what was asked of the workers is done, or refused.
  func answerWorkers() throws(ScanFailure) { try remove(workersPath) }
}
