import Detectors
import Fabric
import Foundation
import Glibc
import Host
import ScanPlan
import Stages

// What stages report. A run whose own disk fails comes to its result nevertheless: its reports are in the mirror then.
extension RunFolder {
  /// Names of reports.
  static let reports = ["export.json", "losses.json", "stop.json", "uplink.json", "parts.json"]

  /// Writes a report, complete or not at all; into the mirror where this folder cannot be written and has room.
  func writeReport(_ report: some Encodable, to path: String) throws {
    let spare = mirror.flatMap { $0.holdsPlan ? $0.report(path) : nil }
    do { try write(report, to: path) } catch let error as FileError where !error.isFull {
      guard let spare else { throw error }
      // Where both disks fail, the run's own folder is named.
      do { return try write(report, to: spare) } catch is FileError { throw error }
    }
    if let spare { unlink(spare) }
  }

  /// Where a report is, the newer one of two; nil where it was not written.
  fileprivate func place(_ path: String) -> String? {
    func written(_ path: String) -> Double? {
      var file = stat()
      return stat(path, &file) == 0 ? Double(file.st_mtim.tv_sec) + 1e-9 * Double(file.st_mtim.tv_nsec) : nil
    }
    guard let spare = mirror?.report(path), let copied = written(spare) else {
      return access(path, F_OK) == 0 ? path : nil
    }
    return copied > written(path) ?? -.infinity ? spare : path
  }

  /// What the export wrote; nil where it has not come to its end.
  func readExport() throws(ScanFailure) -> ExportReport? {
    guard let file = place(export) else { return nil }
    return try read(ExportReport.self, from: file)
  }

  /// What came of telling the detector to stop; nil where that was not tried.
  func readStop() throws -> StopReport? { try place(stop).map { try read(StopReport.self, from: $0) } }

  /// How the run's images stand on their way to nodes; nil where nobody has said it. It is for people, and nothing that
  /// a run does depends on it.
  func readUplink() -> UplinkReport? {
    guard let file = place(uplink) else { return nil }
    do { return try read(UplinkReport.self, from: file) } catch { return nil }
  }

  /// What nodes have made of the run's scan, as far as its uplink has seen it.
  func readParts() throws -> [PartRecord] {
    guard let file = place(parts) else { return [] }
    return try read(PartList.self, from: file).parts.filter { $0.problem == nil }
  }

  /// What the run's live source has lost; nil for another source, and until the acquisition has ended.
  func readLosses() throws -> LossReport? { try place(losses).map { try read(LossReport.self, from: $0) } }
}

extension RunMirror {
  /// Whether the folder is there, on its disk.
  var holdsPlan: Bool { access(path + "/plan.json", F_OK) == 0 }

  /// Where a report of the run's folder is here.
  func report(_ path: String) -> String { "\(self.path)/\(URL(fileURLWithPath: path).lastPathComponent)" }

  /// Moves reports to the run's folder, once that can be written again, so that they lie where everybody looks.
  func bringReports(to folder: RunFolder) throws {
    for name in RunFolder.reports {
      let (here, there) = ("\(path)/\(name)", "\(folder.path)/\(name)")
      guard access(here, F_OK) == 0 else { continue }
      if folder.mirrored(by: self).place(there) == here {
        let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: here)))
        try writeFileAtomically(path: there, bytes: bytes, isPrivate: true)
      }
      unlink(here)
    }
  }
}
