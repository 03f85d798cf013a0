import Glibc
import Host
import RunModel

// What stages that crashed leave beside their logs: a file for each process.
extension RunFolder {
  private static let crashSuffix = ".crash"
  /// Reports that are kept of a stage: one that crashes more often says nothing new.
  private static let crashesMax = 20

  /// Where process `pid` of a stage reports its crash.
  func crash(_ stage: StageName, pid: Int32) -> String { "\(logFolder)/\(stage).\(pid)\(Self.crashSuffix)" }

  /// Reports that are there, of a stage or of all.
  func crashes(of stage: StageName? = nil) throws(HostError) -> [String] {
    guard access(logFolder, F_OK) == 0 else { return [] }
    let prefix = stage.map { "\($0)." } ?? ""
    return try Folder(logFolder).names().filter { $0.hasPrefix(prefix) && $0.hasSuffix(Self.crashSuffix) }.sorted()
  }

  /// Has this process, one of `stage`, report its crash; false where there are as many reports as are kept.
  func armCrashReport(_ stage: StageName) throws(HostError) -> Bool {
    guard try crashes(of: stage).count < Self.crashesMax else { return false }
    try CrashReport.arm(path: crash(stage, pid: getpid()), subject: "\(stage)")
    return true
  }

  /// For the log: where a process that ended reported its crash; nothing where it did not.
  func crashMetadata(_ stage: StageName, pid: Int32) -> [String: String] {
    let path = crash(stage, pid: pid)
    return access(path, F_OK) == 0 ? ["report": path] : [:]
  }
}
