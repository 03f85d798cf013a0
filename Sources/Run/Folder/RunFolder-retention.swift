import Foundation
import Glibc
import Host
import ScanPlan

// Folders of finished runs that were to be kept for some days are removed by a later run beside them.
extension RunFolder {
  /// A folder that was to be removed.
  struct Expired {
    let path: String
    /// Why it is still there; nil for one that is gone.
    let failure: String?
  }

  private static let secondsOfDay = 86_400.0

  /// Removes the folders beside this one whose days are over. Only those are touched that hold the plan of a run of
  /// this user, made for this very folder, that finished, is not being resumed, and asked for it with `--retain DAYS`;
  /// they go as `remove` says.
  func removeExpiredSiblings(now: Date = .now) throws -> [Expired] {
    let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
    var expired: [Expired] = []
    for name in try Folder(parent).names().sorted() {
      let sibling = RunFolder(path: "\(parent)/\(name)")
      guard sibling.path != path, let plan = sibling.expiredPlan(now: now) else { continue }
      do {
        // Nobody resumes it meanwhile.
        guard let lock = try LockFile(path: sibling.lock) else { continue }
        defer { withExtendedLifetime(lock) {} }
        try sibling.remove(plan)
        expired.append(Expired(path: sibling.path, failure: nil))
      } catch {
        expired.append(Expired(path: sibling.path, failure: "\(error)"))
      }
    }
    return expired
  }

  /// Removes the folder of a run that is finished; false where it is not, or somebody is at it.
  package func removeIfFinished() throws -> Bool {
    let plan: RunPlan
    do {
      plan = try readPlan()
      guard try readStatus().status.phase == .finished else { return false }
    } catch {
      // What cannot be read is no finished run, and is left alone.
      return false
    }
    guard plan.scan.runFolder == path, let lock = try LockFile(path: lock) else { return false }
    defer { withExtendedLifetime(lock) {} }
    try remove(plan)
    return true
  }

  /// Whether no process is at the run here, where there is one.
  package var isFree: Bool {
    get throws { try !isBegun || LockFile.holder(path: lock) == nil }
  }

  /// The plan of the run here where its time is over; nil for everything else, whatever it is.
  private func expiredPlan(now: Date) -> RunPlan? {
    var entry = stat()
    guard lstat(path, &entry) == 0, entry.st_mode & S_IFMT == S_IFDIR, entry.st_uid == geteuid(),
      lstat(self.plan, &entry) == 0
    else {
      return nil
    }
    do {
      let plan = try readPlan()
      guard plan.scan.runFolder == path, case .days(let days) = plan.scan.retain else { return nil }
      let (status, isSupervised) = try readStatus()
      guard status.phase == .finished, !isSupervised, lstat(self.status, &entry) == 0 else { return nil }
      return now.timeIntervalSince1970 - Double(entry.st_mtim.tv_sec) > Double(days) * Self.secondsOfDay ? plan : nil
    } catch {
      // What cannot be read is no finished run, and is left alone.
      return nil
    }
  }
}
