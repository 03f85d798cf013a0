import Host
import Logging
import RunModel
import ScanPlan

// What the supervisor does with workers that cannot live. The acquisition and the other rows never wait for one.
//
// (With `bands`, one that dies is made by another worker first, while the scan goes on: `Supervisor-bands.swift`.)
//
//     dies, and does not get on ──► set aside ──► after the scan, alone ──► on others' cores ──► missing
//     error of its own ────────────────┘
//
// Its rows, its orders and its volume stay its own, so no bit changes, and what kills it comes into no other worker's
// process. Its cores go to the workers that have work (`StageRunner.widerThreads`).
extension Supervisor {
  /// Codes of a worker that met an error of the machine: of memory, of reading, of writing. It may be its own. With any
  /// other one every worker would end, or the data are wrong, and the run with them.
  private static let ownExitCodes = [SysExit.system, .cannotCreate, .inputOutput].map(\.rawValue)

  /// Finds a place for a stage that dies too often; false where it has none for now. Fails the run for a stage that is
  /// no worker.
  func isRelocated(_ index: Int, killedBy signal: Int32, _ regions: RunRegions) throws -> Bool {
    let process = stages[index]
    let place = process.movedTo.map { ", now on \(Self.list($0))" } ?? ""
    let deaths = "stage \(process.stage) was killed by signal \(signal) \(process.deathCount)\(place)"
    guard let worker = process.stage.partition else {
      throw ScanFailure(.software, "\(deaths); see \(folder.logFolder); \(plan.whatIsKept)")
    }
    if isEvicted(index, deaths, regions) { return true }
    // Everything else is done: the cores on which others have lived are free.
    let well = stages.filter(\.isDone).compactMap(\.stage.partition).flatMap { bands.deal.cores(of: $0) }
    let cores = Set(well).subtracting(bands.deal.cores(of: worker)).sorted()
    guard process.wasSetAside, process.movedTo == nil, !cores.isEmpty else {
      try doWithout(
        index, deaths,
        orElse: ScanFailure(.software, "\(deaths); no rows are left; see \(folder.logFolder); \(plan.whatIsKept)"),
        regions)
      return false
    }
    stages[index].move(to: cores)
    log.warning("moved \(process.stage)", metadata: ["cores": "\(cores)"])
    monitor.alarm(.worker, "\(deaths): its rows are tried on \(Self.list(cores)) of other workers")
    return true
  }

  /// Goes on without a worker that ended with an error of its own; fails the run with any other error.
  func doWithout(_ index: Int, exitCode code: Int32, _ reason: String?, _ regions: RunRegions) throws {
    let stage = stages[index].stage, failure = StageFailure(exitCode: code, reason: reason)
    guard stage.partition != nil, Self.ownExitCodes.contains(code) else { throw failure }
    // It has said why itself.
    try doWithout(index, "stage \(stage) ended with status \(code)", orElse: failure, regions)
  }

  /// Sets a worker aside, or gives it up if it was tried once more already. Fails the run with `failure` where no row
  /// is left.
  private func doWithout(
    _ index: Int, _ why: String, orElse failure: @autoclosure () -> any Error, _ regions: RunRegions
  ) throws {
    let (stage, rows) = (stages[index].stage, rows(of: stages[index].stage))
    guard stages[index].wasSetAside else {
      stages[index].setAside()
      try regions.setAside(stage)
      log.warning("set \(stage) aside", metadata: ["reason": "\(why)"])
      return monitor.alarm(
        .worker,
        "\(why): \(rows) are set aside, and are reconstructed after the scan; acquisition and other rows go on")
    }
    stages[index].giveUp()
    guard stages.contains(where: { $0.stage.partition != nil && $0.standing != .missing }) else { throw failure() }
    regions.giveUp(stage)
    log.error("gave \(stage) up", metadata: ["reason": "\(why)"])
    monitor.alarm(.worker, "\(why): \(rows) are missing in the volume")
    missing.append(.init(rows: rows, why: why))
  }

  /// Tries a worker that was set aside once more, when everything that it reads is there and all other workers have
  /// ended.
  func retrySetAside(_ regions: RunRegions) throws {
    guard let last = stages.lastIndex(where: { $0.stage.partition != nil }) else { return }
    let upstream = stages[...last]
    guard let index = upstream.firstIndex(where: \.isWaiting), upstream.allSatisfy({ $0.isOver || $0.isWaiting }) else {
      return
    }
    let stage = stages[index].stage
    try regions.readmit(stage)
    stages[index].retry()
    log.notice("trying \(stage) once more")
    monitor.notice("reconstructing \(rows(of: stage)), which were set aside")
  }

  /// The rows of a worker, as in the names of slices.
  func rows(of stage: StageName) -> RowRange {
    guard let worker = stage.partition else { preconditionFailure("\(stage) has no rows") }
    return RowRange(plan.placement.workers[worker].rows, firstSlice: plan.shape.firstSlice)
  }

  private static func list(_ cores: [Int]) -> String {
    "core\(cores.count == 1 ? "" : "s") \(cores.map(String.init).joined(separator: ", "))"
  }
}
