import Foundation
import Glibc
import Journal
import Testing

/// Runs a command; whether it succeeded.
private func run(_ arguments: String...) -> Bool {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = arguments
  process.standardOutput = FileHandle.nullDevice
  process.standardError = FileHandle.nullDevice
  do { try process.run() } catch { return false }
  process.waitUntilExit()
  return process.terminationStatus == 0
}

/// A file system on a loop device whose image is a sparse file in a small tmpfs: when the tmpfs is full, the device
/// fails writes though the file system has room.
private final class FullDevice {
  let folder: TestFolder
  var journal: String { folder.path + "/mount/journal" }
  private init(_ folder: TestFolder) { self.folder = folder }

  /// Nil where this process may not do it.
  static func make() throws -> FullDevice? {
    let folder = try TestFolder()
    let path = folder.path
    guard mkdir(path + "/memory", 0o700) == 0, mkdir(path + "/mount", 0o700) == 0,
      mount("tmpfs", path + "/memory", "tmpfs", 0, "size=24m") == 0
    else { return nil }
    let device = FullDevice(folder)
    guard extend(path + "/memory/image"),
      run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", path + "/memory/image"),
      run("mount", "-o", "loop,nodiscard", path + "/memory/image", path + "/mount")
    else { return nil }
    try device.limitRequests()
    return device
  }

  /// Has the loop device pass on a page at a time: of a longer write that its image takes in part it says that it was
  /// whole.
  private func limitRequests() throws {
    var status = stat()
    try #require(stat(folder.path + "/mount", &status) == 0)
    // The numbers of a device as the C library packs them.
    let (major, minor) = (status.st_dev >> 8 & 0xFFF, status.st_dev & 0xFF | status.st_dev >> 12 & 0xFFF00)
    let path = "/sys/dev/block/\(major):\(minor)/queue/max_sectors_kb"
    try Data("4".utf8).write(to: URL(fileURLWithPath: path))
  }

  deinit {
    _ = run("umount", folder.path + "/mount")
    if umount2(folder.path + "/memory", Int32(MNT_DETACH)) != 0 { Issue.record("the tmpfs stays mounted") }
  }

  private static func extend(_ path: String) -> Bool {
    let descriptor = Glibc.open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    defer { close(descriptor) }
    return ftruncate(descriptor, 96 << 20) == 0
  }

  func grow() -> Bool { run("mount", "-o", "remount,size=128m", folder.path + "/memory") }
}

private let mayLoop: Bool = {
  do { return try geteuid() == 0 && FullDevice.make() != nil } catch { return false }
}()

@Suite(.serialized) struct LoopDeviceTests {
  @Test(
    .enabled(if: mayLoop, "a loop device takes root with CAP_SYS_ADMIN, mkfs.ext4 and loop devices"),
    arguments: [false, true])
  func `on a device that is really full nothing acknowledged is lost`(_ usesPwrite: Bool) throws {
    let full = try #require(try FullDevice.make())
    defer { withExtendedLifetime(full) {} }
    let acknowledged = try fill(full, usesPwrite)
    #expect(acknowledged > 0 && acknowledged < 1000)
    let report = try verifyJournal(
      device: try PwriteDevice(folder: full.journal), identity: testIdentity, stride: 65536)
    #expect(report.isIntact && report.nextSequence >= acknowledged, "\(acknowledged): \(report)")
  }

  /// Writes until the device fails, makes room, and goes on if the journal can; returns how many records were
  /// acknowledged.
  private func fill(_ full: FullDevice, _ usesPwrite: Bool) throws -> UInt64 {
    var options = JournalOptions()
    options.segmentByteCount = 4 << 20
    let device: any JournalDevice =
      usesPwrite ? try PwriteDevice(folder: full.journal) : try openJournalDevice(folder: full.journal)
    let writer = try JournalWriter(device: device, identity: testIdentity, stride: 65536, epoch: 1, options: options)
    let producer = Producer(stride: 65536, slotCount: 512)
    do throws(JournalError) {
      for _ in 0..<500 where writer.alarm == .good {
        try writer.append(1, of: producer, payload: 61440)
        try writer.poll(wait: .milliseconds(1))
      }
      #expect(writer.alarm == .journalFull)
      #expect(full.grow())
      try writer.flush(timeout: .seconds(20))
      #expect(writer.alarm == .good && writer.state.durableThrough == writer.state.nextSequence)
      try writer.close()
    } catch {
      guard case .failed = error else { throw error }
      // The file system gave up with its device: an error twice, and no more promises.
      #expect(full.grow())
    }
    return writer.state.durableThrough
  }
}
