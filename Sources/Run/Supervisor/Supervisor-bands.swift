import Host
import Logging
import RunModel
import ScanPlan
import Stages

// What the supervisor does with workers that people add and take away, and with bands that another worker makes sooner.
// A band's process takes other cores between two updates; orders, cursors and volumes stay the band's, so no bit
// changes, and who dies meanwhile goes on with what is dealt to it.
extension Supervisor {
  /// Sees to what people ask for, and to workers that are slower than others. True where somebody waits to read of it.
  func seeToBands(_ observer: ProgressObserver, _ regions: RunRegions) throws -> Bool {
    bands.note(observer.windowUpdates)
    if let (change, person) = try requests.workersChange() {
      obey(change, person, regions)
      catchUp?.rest(at: .now)
      return true
    }
    let working = Set(stages.filter { $0.isRunning && $0.standing == .expected }.compactMap(\.stage.partition))
    let move = bands.balance(working: { working.contains($0) && !observer.isFinal($0) }, at: .now)
    if let move {
      deal(regions)
      log.notice("balanced \(words(move))")
    }
    seeToCatchingUp(observer, regions)
    return false
  }

  /// Has other workers, and tells each band's process.
  func change(_ change: BandDeal.Change, _ regions: RunRegions) throws(ScanFailure) -> [BandDeal.Move] {
    let usable: [Int]
    do { usable = try Topology.current().nodes.flatMap(\.cores) } catch { throw ScanFailure(error) }
    let moves = try bands.apply(
      change, usable: usable.filter { $0 < Heartbeats.coresMax }.sorted(), reserved: plan.placement.keptCores)
    deal(regions)
    return moves
  }

  private func obey(_ change: BandDeal.Change, _ person: String, _ regions: RunRegions) {
    do throws(ScanFailure) {
      let moves = try self.change(change, regions)
      workersAnswer = WorkersAnswer(by: person, refusal: nil)
      log.notice(
        "changed the workers for \(person)",
        metadata: ["workers": "\(bands.deal.workers.count)", "moves": "\(moves.map(words).joined(separator: ", "))"])
      monitor.notice(
        "\(counted(bands.deal.workers.count, "worker")) from here on, as \(person) asked; "
          + "\(counted(moves.count, "band")) changed hands")
    } catch {
      workersAnswer = WorkersAnswer(by: person, refusal: error.description)
      log.warning("refused \(person) other workers", metadata: ["reason": "\(error)"])
    }
  }

  /// Finds another worker for a band that dies too often where it is; false where it had its chance, or there is none.
  func isEvicted(_ index: Int, _ deaths: String, _ regions: RunRegions) -> Bool {
    guard let band = stages[index].stage.partition, !stages[index].wasSetAside else { return false }
    let moves = bands.evict(band)
    guard let move = moves.first(where: { $0.band == band }) else { return false }
    deal(regions)
    stages[index].beginAnew()
    log.warning("evicted \(moves.map(words).joined(separator: ", "))")
    monitor.alarm(.worker, "\(deaths): worker \(move.to) makes its rows from here on")
    return true
  }

  /// Tells each band's process the cores that it has now, where they are others.
  private func deal(_ regions: RunRegions) {
    for (number, stage) in regions.wiring.stages.enumerated() {
      guard let band = stage.partition else { continue }
      let (before, now) = (regions.heartbeats.dealt(to: number).cores, bands.deal.cores(of: band))
      let had = before.isEmpty ? plan.placement.workers[band].cores : before
      if had != now { regions.heartbeats.deal(now, to: number) }
    }
  }

  private func words(_ move: BandDeal.Move) -> String {
    "band \(move.band) from worker \(move.from) to worker \(move.to)"
  }
}
