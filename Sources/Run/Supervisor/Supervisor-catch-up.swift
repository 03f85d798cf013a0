import Logging
import ScanPlan
import Tomography

// Workers that come while the run is behind, where `catch-up` asks for them.
extension Supervisor {
  /// Has one come or go where the backlog says so.
  func seeToCatchingUp(_ observer: ProgressObserver, _ regions: RunRegions) {
    guard catchUp != nil, let status = newestStatus, [.scanning, .finalIterations].contains(status.phase) else {
      return
    }
    let backlog = CatchUp.Backlog(
      lag: status.lag, latency: observer.latency, isSlowed: status.step > plan.windows.step || (status.level ?? 0) > 0)
    let present = Set(bands.deal.workers.map(\.number))
    switch catchUp?.next(backlog, present: present, at: .now) {
    case .add: addWorker(backlog, present, regions)
    case .drain(let number): drain(number, regions)
    case nil: return
    }
  }

  private func addWorker(_ backlog: CatchUp.Backlog, _ present: Set<Int>, _ regions: RunRegions) {
    do throws(ScanFailure) {
      let moves = try change(.add(1, cores: nil), regions)
      guard let worker = bands.deal.workers.last, !present.contains(worker.number) else { return }
      catchUp?.didAdd(worker.number, at: .now)
      let cores = CoreList(worker.cores)
      log.notice(
        "worker \(worker.number) catches up",
        metadata: ["cores": "\(cores)", "lag": "\(backlog.lag)", "moves": "\(moves.count)"])
      guard catchUp?.report.added == 1 else { return }
      // Once: status and log say what becomes of it.
      monitor.notice(
        "worker \(worker.number) on cores \(cores) helps to catch up, as updates do not keep up with the projections; "
          + "it goes when they do")
    } catch {
      guard catchUp?.didRefuse(error.description, at: .now) == true else { return }
      log.warning("no worker catches up", metadata: ["reason": "\(error)", "lag": "\(backlog.lag)"])
    }
  }

  private func drain(_ number: Int, _ regions: RunRegions) {
    do throws(ScanFailure) {
      let moves = try change(.drain(number), regions)
      catchUp?.didDrain(number, at: .now)
      log.notice("worker \(number) is not needed any more", metadata: ["moves": "\(moves.count)"])
    } catch {
      // The last one may be a worker that came so, where a person took the others away.
      guard catchUp?.didRefuse(error.description, at: .now) == true else { return }
      log.warning("worker \(number) stays", metadata: ["reason": "\(error)"])
    }
  }
}
