import Foundation
import Glibc
import Host
import ScanPlan

// What is read of a run's folder, and what is said where it is not what was written.
extension RunFolder {
  /// All that is read of a plan before its version is known.
  private struct VersionedPlan: Decodable {
    /// Nil in plans that are older than versions.
    let version: Int?
  }

  /// What the run works from. Throws where this is no run's folder, where the plan is damaged, and where another
  /// version of Slipring made it.
  func readPlan() throws(ScanFailure) -> RunPlan {
    guard access(plan, F_OK) == 0 else {
      // Where a run has begun somebody has removed it.
      if access(lock, F_OK) == 0, access(planCopy, F_OK) == 0 { throw damagedPlan("is missing") }
      throw ScanFailure(.noInput, "\(path) is not the folder of a run: it has no plan.json")
    }
    let text = try text(of: plan)
    switch SealedJSON.check(text) {
    case .damaged: throw damagedPlan(Self.wrongSeal)
    case .whole: break
    case .unsealed:
      // Plans of earlier versions have no checksum.
      guard let plan = try? JSONDecoder().decode(VersionedPlan.self, from: Data(text)),
        plan.version != RunPlan.versionRead
      else { throw damagedPlan(Self.wrongSeal) }
    }
    let version = try decode(VersionedPlan.self, text, of: plan).version
    guard version == RunPlan.versionRead else {
      let found = version.map { "version \($0)" } ?? "no version"
      throw ScanFailure(
        .data,
        "the run in \(path) was made by another version of Slipring (its plan has \(found), this one reads version "
          + "\(RunPlan.versionRead)); go on with the one that made it")
    }
    return try decode(RunPlan.self, text, of: plan)
  }

  /// A plan that is not what was written is refused, and not replaced in secret: whoever damaged it may have meant to
  /// change it.
  private func damagedPlan(_ problem: String) -> ScanFailure {
    let isCopied: Bool
    do { isCopied = try SealedJSON.check(text(of: planCopy)) == .whole } catch { isCopied = false }
    let advice =
      isCopied
      ? "put its copy in its place: cp \(planCopy) \(plan)"
      : "its copy plan.copy.json is no better, so restore it from a backup, or reconstruct the scan anew"
    return ScanFailure(.data, "\(plan) \(problem); \(advice)")
  }

  private static let wrongSeal = "is damaged, its checksum is not that of what it holds"

  /// Writes the plan, and its copy.
  func write(_ plan: RunPlan) throws {
    try write(plan, to: planCopy)
    try write(plan, to: self.plan)
  }

  /// Throws where a report is damaged that no stage may write again. The export's is written again, and goes.
  func checkReports(notice: (String) -> Void) throws(ScanFailure) {
    for report in [losses, stop] where access(report, F_OK) == 0 { try checkSeal(text(of: report), of: report) }
    guard access(export, F_OK) == 0, try SealedJSON.check(text(of: export)) != .whole else { return }
    guard unlink(export) == 0 || errno == ENOENT else {
      throw ScanFailure(.inputOutput, "cannot remove \(export): \(String(cString: strerror(errno)))")
    }
    notice("\(export) was damaged, and is written again")
  }

  /// Reads a value that a process of this run wrote, and which is still what it wrote.
  func read<Value: Decodable>(_ type: Value.Type, from path: String) throws(ScanFailure) -> Value {
    let text = try text(of: path)
    try checkSeal(text, of: path)
    return try decode(type, text, of: path)
  }

  private func checkSeal(_ text: [UInt8], of path: String) throws(ScanFailure) {
    guard SealedJSON.check(text) != .whole else { return }
    throw ScanFailure(
      .data,
      "\(path) \(Self.wrongSeal); remove it to do without what it tells")
  }

  private func text(of path: String) throws(ScanFailure) -> [UInt8] {
    // With O_NONBLOCK nobody waits for the writer of a pipe in its place.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw ScanFailure(.noInput, "cannot read \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    guard isRegularFile(descriptor) else { throw ScanFailure(.noInput, "cannot read \(path): it is not a file") }
    do {
      return try Array(FileHandle(fileDescriptor: descriptor).readToEnd() ?? Data())
    } catch {
      throw ScanFailure(.noInput, "cannot read \(path): \(error.reasonText)")
    }
  }

  private func decode<Value: Decodable>(
    _ type: Value.Type, _ text: [UInt8], of path: String
  ) throws(ScanFailure) -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(text))
    } catch {
      throw ScanFailure(.data, "\(path) does not hold what a run writes there: \(error)")
    }
  }
}

extension Error {
  /// The system's words where there are any, otherwise Foundation's.
  var reasonText: String {
    let error = self as NSError
    let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
    guard underlying.domain == NSPOSIXErrorDomain else { return error.localizedDescription }
    return String(cString: strerror(Int32(underlying.code)))
  }
}
