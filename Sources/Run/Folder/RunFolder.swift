import Events
import Foundation
import Glibc
package import Host
import RunModel
package import ScanPlan
import Stages

/// The folder that holds a run: what it was asked to do, how it is laid out, how far it is, and what it wrote.
///
/// ```
/// scan.yaml     effective configuration, with the command line in its first line
/// plan.json     what the stages work from: shapes, placement, what the input was
/// plan.copy.json  the same once more, for a person to put in its place should it be damaged
/// lock          held by the run's supervisor as long as it lives
/// metadata.h5   what the input says of its measurement, for the output
/// status.json   state, stages, progress; replaced about once a second
/// losses.json   of a live source, what it has lost; there when the acquisition has ended
/// stop.json     what came of telling its detector to stop; there where that was tried
/// uplink.json   how its images stand on their way to nodes; there with --fabric
/// parts.json    which slices nodes have made, where their files are, and checksums; there when there are some
/// export.json   what the export wrote, with the volume's checksum; there when the export is complete
/// stage.NAME.json  which files a stage of --stage has made, and a checksum; there when they are
/// gathered.json what became of them: the whole volume's files and checksum; there when they are put together
/// log/          JSON lines, one file a stage
/// journal/      the durable topics, one folder each
/// checkpoints/  the newest saved generations of each worker's volume
/// requests/     what people asked of the run while it ran
/// views/        where readers of each view are, one folder a view
/// events/       what others are told of the run, and how far they have taken it; with --events
/// salvaged/     what salvage set aside, one folder a salvage
/// ```
///
/// Files of the run are this user's alone. What is JSON ends with its checksum (``SealedJSON``): nothing is believed
/// that is not what was written.
package struct RunFolder: Sendable {
  /// Absolute path of the folder.
  package let path: String
  /// The run's mirror, once its plan is known: what stages report is written there where this folder's disk fails.
  private(set) var mirror: RunMirror?

  /// The folder at `path`; nothing is created.
  package init(path: String) {
    self.path = absolutePath(path)
  }

  /// The same folder, with the mirror that its run has.
  func mirrored(by plan: RunPlan) -> RunFolder { RunMirror(plan).map(mirrored) ?? self }

  /// The same folder, with a mirror.
  func mirrored(by mirror: RunMirror) -> RunFolder {
    var folder = self
    folder.mirror = mirror
    return folder
  }

  var plan: String { path + "/plan.json" }
  var planCopy: String { path + "/plan.copy.json" }
  var description: String { path + "/scan.yaml" }
  /// What the input says of its measurement; where `RunPlan` looks for it.
  var metadata: String { path + "/" + RunPlan.metadataName }
  var status: String { path + "/status.json" }
  var export: String { path + "/export.json" }
  var losses: String { path + "/losses.json" }
  var stop: String { path + "/stop.json" }
  var uplink: String { path + "/uplink.json" }
  var parts: String { path + "/parts.json" }
  var gathered: String { path + "/gathered.json" }
  /// What a stage beside the run has saved.
  func savedStage(_ name: String) -> String { "\(path)/stage.\(name).json" }
  /// Models of stages, as they were when the run began.
  var models: String { path + "/models" }
  var lock: String { path + "/lock" }
  var logFolder: String { path + "/log" }
  /// The log of a stage, or of the supervisor.
  func log(_ name: String) -> String { "\(logFolder)/\(name).jsonl" }
  var checkpoints: String { path + "/checkpoints" }
  var salvaged: String { path + "/salvaged" }
  var requests: String { path + "/requests" }
  var events: String { path + "/" + EventOutbox.folderName }

  var journals: String { path + "/journal" }
  /// Topics that programs of people wrote.
  var topics: String { path + "/topics" }
  /// Where readers of views are.
  var views: String { path + "/views" }

  /// The journal of a topic.
  func journal(_ topic: Topic) -> String { "\(journals)/\(topic.folderName)" }

  /// Throws where the folder holds another run, so that no run is ever mixed with another.
  func refuseIfTaken() throws(ScanFailure) {
    guard !FileManager.default.fileExists(atPath: plan) else {
      throw ScanFailure(.cannotCreate, "the run folder \(path) holds another run; name a new one with --run-folder")
    }
  }

  /// Creates the folder and what belongs into it.
  func create(topics: [Topic]) throws(ScanFailure) {
    try refuseIfTaken()
    // An output that lies here was made before, and with it this folder, which is then for others too.
    for folder in [path, logFolder, checkpoints, requests] + (topics.isEmpty ? [] : [journals]) + topics.map(journal) {
      try Self.makeFolder(folder, for: .owner)
    }
  }

  /// Creates a folder for `users`, and those above it for the usual ones, durably. One that is there stays as it is.
  package static func makeFolder(_ path: String, for users: DurableFolder.Access) throws(ScanFailure) {
    do throws(HostError) { try DurableFolder.make(absolutePath(path), for: users) } catch {
      throw ScanFailure(.cannotCreate, "cannot create the folder \(path) (\(error)); choose another one")
    }
    guard access(path, W_OK | X_OK) == 0 else {
      throw ScanFailure(.cannotCreate, "the folder \(path) is not writable; choose another one")
    }
  }

  /// Removes what the run of `plan` wrote here, and the folders that this leaves empty. What lay here before, and the
  /// output, stay.
  func remove(_ plan: RunPlan) throws(ScanFailure) {
    let isOutput = absolutePath(plan.scan.outputFolder) == path
    let crashes: [String]
    do { crashes = try self.crashes().map { "\(logFolder)/\($0)" } } catch {
      throw ScanFailure(.inputOutput, "cannot remove \(logFolder): \(error)")
    }
    let logs = (["supervisor"] + plan.wiring.stages.map(\.description)).map(log) + crashes
    // The description beside the output is the output's.
    for file in logs + [self.plan, planCopy, metadata, status, export, losses, stop, uplink, parts, gathered, lock]
      + (plan.scan.stage?.records ?? []).map({ savedStage($0.name) }) + (isOutput ? [] : [description])
    {
      try Self.remove(file, unlink(file), accepting: [ENOENT])
    }
    for folder in [checkpoints, salvaged, requests, events, journals, topics, views, models]
    where access(folder, F_OK) == 0 {
      do { try FileManager.default.removeItem(atPath: folder) } catch {
        throw ScanFailure(.inputOutput, "cannot remove \(folder): \(error.reasonText)")
      }
    }
    try Self.remove(logFolder, rmdir(logFolder), accepting: [ENOTEMPTY, EEXIST])
    // The link to the output that runs had once; where somebody has put something else there it stays.
    let link = path + "/output"
    try Self.remove(link, unlink(link), accepting: [EISDIR, ENOENT])
    try Self.remove(path, rmdir(path), accepting: [ENOTEMPTY, EEXIST])
  }

  private static func remove(_ path: String, _ result: Int32, accepting accepted: Set<Int32> = []) throws(ScanFailure) {
    guard result != 0, !accepted.contains(errno) else { return }
    throw ScanFailure(.inputOutput, "cannot remove \(path): \(String(cString: strerror(errno)))")
  }

  /// Writes a value as JSON with its checksum, complete or not at all, for this user alone.
  func write(_ value: some Encodable, to path: String) throws {
    try writeFileAtomically(path: path, bytes: SealedJSON.encode(value), isPrivate: true)
  }

  /// Whether a supervisor of the run lives.
  var isSupervised: Bool { get throws { try LockFile.holder(path: lock) != nil } }

  /// Throws, and names the process, where a supervisor of the run lives.
  func refuseIfSupervised() throws {
    guard let holder = try LockFile.holder(path: lock) else { return }
    throw ScanFailure(
      .cannotCreate,
      "the run in \(path) has a living supervisor, \(holder); see the run with slipring status, "
        + "or end that process first"
    )
  }

  /// Removes what processes of the run that died left of files. To be called by the run's only supervisor, before it
  /// starts any stage.
  func removeLeftovers(_ plan: RunPlan) throws {
    if let stages = lastStages() {
      for stage in stages { try removeTemporaryFiles(in: plan.scan.outputFolder, ofProcess: stage.pid) }
    } else {
      try removeTemporaryFilesOfDeadProcesses(in: plan.scan.outputFolder)
    }
    // These are the run's own, so whoever wrote there is dead. Other runs may write to the output.
    for path in [path, checkpoints, requests] where path != plan.scan.outputFolder && access(path, F_OK) == 0 {
      try removeTemporaryFiles(in: path, ofProcess: nil)
    }
  }

  /// The stages of the run's latest status; none where it died before the first, nil where the status is damaged: it
  /// is for people, and nothing that a run does depends on it.
  private func lastStages() -> [RunStatus.Stage]? {
    guard access(status, F_OK) == 0 else { return [] }
    do { return try read(RunStatus.self, from: status).stages } catch { return nil }
  }

  /// Deletes all shared memory of a run whose supervisor was killed, once its stages are gone: what a restart of the
  /// machine does. For tests.
  package func removeRegions(timeout: Duration) throws {
    let runID = try readPlan().runID
    let deadline = Deadline(after: timeout)
    for stage in lastStages() ?? [] { while kill(stage.pid, 0) == 0, !deadline.hasPassed { usleep(1000) } }
    while try isSupervised {
      guard !deadline.hasPassed else { throw ScanFailure(.software, "the run in \(path) is alive") }
      usleep(1000)
    }
    for names in try RegionNames.find(runID) {
      for name in try SharedRegion.names(prefix: names.prefix) { try SharedRegion.unlink(name: name) }
    }
  }

  /// Whether a run was begun here.
  package var isBegun: Bool { access(plan, F_OK) == 0 }

  /// Whether a run was begun here and has not come to its result, as far as its status can be read.
  package var isUnfinished: Bool {
    guard access(plan, F_OK) == 0 else { return false }
    guard access(status, F_OK) == 0 else { return true }
    do { return try read(RunStatus.self, from: status).phase != .finished } catch { return true }
  }

  /// How far the run is, and whether its supervisor lives. Throws where this is no run's folder.
  package func readStatus() throws -> (status: RunStatus, isSupervised: Bool) {
    _ = try readPlan()
    guard access(status, F_OK) == 0 else {
      throw ScanFailure(
        .noInput,
        "the run in \(path) has no status: it is about to begin, or ended before; slipring resume \(path) goes on with "
          + "it")
    }
    let status = try read(RunStatus.self, from: self.status)
    return (status, try isSupervised)
  }

  /// How long ago the status was written, in seconds; nil where that cannot be told.
  package var statusAge: Double? {
    var file = stat(), now = timespec()
    guard stat(status, &file) == 0, clock_gettime(CLOCK_REALTIME, &now) == 0 else { return nil }
    return Double(now.tv_sec - file.st_mtim.tv_sec) + 1e-9 * Double(now.tv_nsec - file.st_mtim.tv_nsec)
  }
}
