import Glibc
package import Host
import KernelTypes
import Rings
import RunModel
import Stages

/// What a run needs of memory, shared memory and disks, beside what this machine has free.
package struct RunRoom {
  /// Memory of all kinds.
  let memory: MemoryEstimate
  /// Free bytes of /dev/shm; nil where it has no limit.
  let sharedFree = Machine.sharedMemoryFree
  /// Bytes that a program may take; nil where the system does not tell.
  let memoryAvailable = Machine.memoryAvailable
  /// Bytes of the output's files.
  let output: Int
  /// Free bytes where they go.
  let outputFree: Int
  /// Bytes of journals and checkpoints; 0 for a run in memory.
  let journal: Int
  /// Free bytes where they go.
  let journalFree: Int
  /// Bytes a second that the journal must take and that its disk takes; nil where no rate was given.
  private let speed: (needed: Double, measured: Double)?
  private let rate: Double?
  /// Whether the journal's disk has no direct input and output.
  private let isCached: Bool
  private let outputFolder: String
  private let runFolder: String
  private let shareDisk: Bool
  /// Where the journals go beside the run's own folder.
  private let copies: CopyFolders

  /// Looks at the machine, and at the disks that hold the plan's folders.
  package init(_ plan: RunPlan) throws(HostError) {
    memory = MemoryEstimate(plan)
    output = plan.outputByteCount
    journal = plan.scan.durability == .durable ? plan.journalByteCount : 0
    outputFolder = plan.scan.outputFolder
    runFolder = plan.scan.runFolder ?? plan.scan.outputFolder
    shareDisk = plan.scan.runFolder == nil
    copies = CopyFolders(plan.scan, journal: journal, ownByteCount: journal + (shareDisk ? output : 0))
    outputFree = try Machine.diskFree(Self.existingFolder(above: outputFolder))
    let journalFolder = Self.existingFolder(above: runFolder)
    journalFree = try Machine.diskFree(journalFolder)
    isCached = plan.scan.durability == .durable && Self.isCached(journalFolder)
    rate = plan.scan.rate
    let stride = Double(plan.ring(.projections).slotStride)
    speed =
      if let rate, plan.scan.durability == .durable, journalFree > DiskProbe.byteCountMax {
        (rate * stride, try DiskProbe.bytesPerSecond(in: journalFolder))
      } else {
        nil
      }
  }

  /// Whether the file system refuses direct input and output. Where nothing can be written, that will be said.
  private static func isCached(_ folder: String) -> Bool {
    do { if case .refused = try Machine.directIO(in: folder) { return true } } catch { return false }
    return false
  }

  /// What is worth knowing of the disks.
  package var notices: [String] {
    (isCached
      ? [
        "the file system of \(runFolder) has no direct I/O: the journal is written through the page cache, as safely "
          + "and slower"
      ] : []) + copies.notices
  }

  /// Everything that there is no room for, in one line each.
  package func shortfalls() -> [ScanFailure] {
    var failures = memory.shortfalls(sharedFree: sharedFree ?? .max, memoryAvailable: memoryAvailable ?? .max)
    if output > outputFree {
      failures.append(
        ScanFailure(
          .cannotCreate,
          "the output needs \(bytes(output)) and \(outputFolder) has \(bytes(outputFree)) free; "
            + "choose another --output-folder"
        ))
    }
    let needed = journal + (shareDisk ? output : 0)
    if journal > 0, needed > journalFree {
      failures.append(
        ScanFailure(
          .cannotCreate,
          "journal and checkpoints need \(bytes(needed)) and \(runFolder) has \(bytes(journalFree)) free; "
            + "choose another --run-folder, or --durability memory"))
    }
    failures += copies.shortfalls
    if let rate, let speed, speed.needed > speed.measured {
      failures.append(
        ScanFailure(
          .cannotCreate,
          "--rate \(rate) needs \(bytes(Int(speed.needed))) a second on disk and \(runFolder) takes "
            + "\(bytes(Int(speed.measured))); choose a faster disk with --run-folder, fewer rows, "
            + "or --durability memory"))
    }
    return failures
  }

  /// The folder itself or the nearest one above it that is there.
  private static func existingFolder(above path: String) -> String {
    var folder = absolutePath(path)
    // Letter by letter, so that it becomes shorter with each turn, whatever a component means.
    while access(folder, F_OK) != 0, folder != "/", folder != "." { folder = folderName(of: folder) }
    return folder
  }
}

extension RunPlan {
  /// Bytes of all files that the export will write, headers aside.
  var outputByteCount: Int {
    let voxels = slices * geometry.columns * geometry.columns
    let tiff = scan.format == .hdf5 ? 0 : scan.bits.rawValue / 8
    let stages = writesSlices && scan.format.parts.hdf5 ? stageVolumes.reduce(0) { $0 + $1.pixel.byteCount } : 0
    return voxels * ((denoising == nil ? 1 : 2) * (tiff + (scan.format == .tiff ? 0 : 4)) + stages)
  }

  /// Bytes of the journals of a complete scan and of two checkpoints of each volume, and one that is being written.
  var journalByteCount: Int {
    let pages = updateCount + (shape.projections + shape.flatsAndDarks + updateCount) * placement.workers.count
    let checkpoints = scan.checkpointEvery.interval == .never ? 0 : 3
    let strides = ring(.projections).slotStride + (correction == nil ? 0 : ring(.corrected).slotStride)
    return (shape.projections + shape.flatsAndDarks) * strides + viewsByteCount + pages * EventHeader.pageByteCount
      + checkpoints * placement.workers.indices.reduce(0) { $0 + layout(ofWorker: $1).volumeByteCount }
  }
}
