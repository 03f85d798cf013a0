package import Host
import Logging
import RunModel
import ScanPlan

// The cores of a stage's process. The bits do not depend on them, nor on the number of threads.
extension StageRunner {
  /// What a process knows of who has which cores.
  struct CoresKnown: Equatable {
    /// Workers that have nothing to do, a bit for each.
    var idle: UInt64 = 0
    /// How often bands got other cores, all together.
    var deals: UInt64 = 0
    /// Those that this process works on, and threads.
    var own: [Int] = []
    var threads = 0
  }

  /// Cores and threads of the stage. One that was moved has a thread for each core, as far as all workers together may
  /// have so many; so has a band that got other cores.
  var place: (cores: [Int], threads: Int) {
    if let movedTo { return (movedTo, min(movedTo.count, plan.workersPlace.threads)) }
    let cores = heartbeats.dealt(to: number).cores
    return cores.isEmpty ? plan.place(of: stage, row) : (cores, min(cores.count, threadsMax))
  }

  /// The stage's threads.
  package func threads() throws -> ThreadPool {
    let (cores, threads) = place
    coresKnown = CoresKnown(deals: deals, own: cores, threads: threads)
    return try ThreadPool(threads: threads, cores: cores)
  }

  /// All workers' threads.
  package var threadsMax: Int { plan.threadsMax(of: stage, row) }

  /// The stage's threads as they are dealt out now, and its share of those that have become idle.
  package func widerThreads() -> ThreadPool? {
    guard movedTo == nil, let worker = stage.partition else { return nil }
    var known = coresKnown
    (known.idle, known.deals) = (idleWorkers, deals)
    guard known != coresKnown else { return nil }
    let (cores, threads) = place
    let placement = plan.placement.dealt { [heartbeats, workerNumbers] in
      let cores = heartbeats.dealt(to: workerNumbers[$0]).cores
      return cores.isEmpty ? nil : cores
    }
    let more = placement.idleCores(for: worker, idle: { known.idle & 1 << $0 != 0 })
    known.own = more.isEmpty ? cores : Array(cores.prefix(threads)) + more
    known.threads = min(threads + more.count, threadsMax)
    let before = coresKnown
    coresKnown = known
    guard known.own != before.own || known.threads != before.threads else { return nil }
    do {
      let pool = try ThreadPool(threads: known.threads, cores: known.own)
      // The thread that asks works as well.
      if known.deals != before.deals { try Affinity.pin(cores: cores) }
      log.info("on \(more.isEmpty ? "other" : "more") cores", metadata: ["cores": "\(known.own)"])
      return pool
    } catch {
      // It goes on as it did.
      log.warning("no more threads", metadata: ["reason": "\(error)"])
      return nil
    }
  }

  private var deals: UInt64 { workerNumbers.reduce(0) { $0 &+ heartbeats.dealt(to: $1).number } }

  /// Workers that have nothing to do: a bit for each.
  private var idleWorkers: UInt64 {
    workerNumbers.enumerated().reduce(0) { idle, worker in
      let isIdle =
        heartbeats.standing(of: worker.element) != .expected || heartbeats.sign(of: worker.element) == .done
      return isIdle ? idle | 1 << worker.offset : idle
    }
  }
}
