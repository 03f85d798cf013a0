package import Detectors
import Glibc
package import Host
package import Run
import ScanPlan
import Spools

/// The reconstruction of one scan of a queue, in a process of its own: it begins the scan's run, or goes on with it.
package struct Job {
  private let file: ServeFile
  private let queue: ScanQueue
  private let number: Int

  /// The job of a scan.
  package init(_ file: ServeFile, number: Int) {
    (self.file, self.number) = (file, number)
    queue = ScanQueue(folder: file.folder)
  }

  /// What the names of its process variables begin with; nil for none.
  package var epics: VariablePrefix? { get throws { try queue.entry(number).flatMap { file.epics(of: $0.source) } } }

  /// Runs it, and leaves in `outcome.json` what came of it.
  /// - Throws: why there is no volume.
  package func run(
    executable: String, command: [String], signals: SignalDescriptor, monitor: any RunMonitor,
    notice: @escaping (String) -> Void
  ) throws -> RunResult {
    let folder = queue.folder(of: number)
    var notices: [String] = []
    do {
      let outcome = try reconstruct(executable: executable, command: command, signals: signals, monitor: monitor) {
        notices.append($0)
        notice($0)
      }
      outcome.notices.forEach(notice)
      try JobOutcome(
        exitCode: outcome.failure?.exitCode ?? 0, failure: outcome.failure?.description, result: outcome.result,
        notices: notices + outcome.notices
      ).write(folder)
      picture(outcome.result, folder, notice)
      if let failure = outcome.failure { throw failure }
      return outcome.result
    } catch {
      let failure = ScanFailure(error)
      if try JobOutcome.read(folder)?.result == nil {
        try JobOutcome(exitCode: failure.exitCode, failure: failure.description, result: nil, notices: notices)
          .write(folder)
      }
      throw error
    }
  }

  /// A scan without its picture is as good.
  private func picture(_ result: RunResult, _ folder: String, _ notice: (String) -> Void) {
    do { try MiddleSlice.write(of: result, to: folder) } catch { notice("no picture for lists: \(error)") }
  }

  private func reconstruct(
    executable: String, command: [String], signals: SignalDescriptor, monitor: any RunMonitor,
    notice: @escaping (String) -> Void
  ) throws -> Reconstruction.ReconstructionOutcome {
    guard let entry = try queue.entry(number), let run = entry.run else {
      throw ScanFailure(.noInput, "there is no scan \(number) to reconstruct in \(file.folder)")
    }
    let outcome = JobOutcome.path(in: queue.folder(of: number))
    guard unlink(outcome) == 0 || errno == ENOENT else {
      throw ScanFailure(.inputOutput, "cannot remove \(outcome): \(String(cString: strerror(errno)))")
    }
    let runFolder = RunFolder(path: run)
    if runFolder.isBegun {
      return try Reconstruction.resume(
        runFolder, overwrites: true, executable: executable, signals: signals, monitor: monitor, notice: notice)
    }
    let spool = entry.file == nil ? try SpoolDescription.read(queue.spool(of: number)) : nil
    let scan = try file.scan(of: entry, in: queue, spool: spool)
    try writeFileAtomically(
      path: "\(queue.folder(of: number))/scan.yaml", text: ScanFile.effective(scan, command: command))
    return try Reconstruction(scan, command: command, signals: signals, overwrites: true)
      .run(executable: executable, monitor: monitor, notice: notice)
  }
}
