import Foundation
import Glibc
import Host
import Testing

@testable import ScanPlan

/// The axis of the scan before.
@Suite struct RunBeforeTests {
  private let folder = NSTemporaryDirectory() + "run-before-" + UUID().uuidString

  /// A folder as a run leaves it, so many seconds after others.
  private func makeRun(_ name: String, _ axis: String?, isFinished: Bool = true, at seconds: Int) throws {
    let path = "\(folder)/\(name)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    if let axis {
      try Data("# slipring recon\ninput: scan.h5\noutput-folder: out\nrotation-axis: \(axis)\n".utf8)
        .write(to: URL(filePath: path + "/scan.yaml"))
    }
    guard isFinished else { return }
    try Data("{}".utf8).write(to: URL(filePath: path + "/export.json"))
    var times = [
      timespec(tv_sec: 1_700_000_000 + seconds, tv_nsec: 0), timespec(tv_sec: 1_700_000_000 + seconds, tv_nsec: 0),
    ]
    #expect(utimensat(AT_FDCWD, path + "/export.json", &times, 0) == 0)
  }

  private func scan(_ axis: RotationAxis, run: String?) -> ScanDescription {
    var scan = ScanDescription.standard
    (scan.input, scan.outputFolder, scan.rotationAxis) = ("scan.h5", "\(folder)", axis)
    scan.runFolder = run.map { "\(folder)/\($0)" }
    return scan
  }

  @Test(arguments: ["own", nil])
  func `The last run is the newest finished one beside this one that has an axis`(own: String?) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(throws: ScanFailure.self) { try RunBefore.named(by: scan(.lastRun, run: own)) }
    try makeRun("first", "12.5", at: 0)
    try makeRun("second", "31.25  # found by auto", at: 10)
    try makeRun("goes-on", "40", isFinished: false, at: 20)
    try makeRun("has-none", "auto", at: 30)
    try makeRun("no-run", nil, at: 40)
    if let own { try makeRun(own, "50", at: 50) }
    let axis = try RunBefore.named(by: scan(.lastRun, run: own))
    #expect(axis == .run(folder + "/second"))
    #expect(try RunBefore(folder: folder + "/second").axis() == 31.25)
    // Who goes on in other folders has the pixels.
    var settled = scan(.lastRun, run: own)
    try settled.settleRotationAxis()
    #expect(settled.rotationAxis == .pixels(31.25))
    settled.rotationAxis = .automatic
    try settled.settleRotationAxis()
    #expect(settled.rotationAxis == .automatic)
    // What is said otherwise stays.
    #expect(try RunBefore.named(by: scan(.run("there"), run: own)) == .run("there"))
    #expect(try RunBefore.named(by: scan(.automatic, run: own)) == .automatic)
    let none = #expect(throws: ScanFailure.self) { try RunBefore(folder: folder + "/has-none").axis() }
    #expect(none?.sysExit == .data)
    let missing = #expect(throws: ScanFailure.self) { try RunBefore(folder: folder + "/no-run").axis() }
    #expect(missing?.sysExit == .noInput)
  }

  @Test func `What is said of the axis is written as it is read`() throws {
    for text in ["auto", "last", "from:/data/run-17", "296.25"] {
      let axis = try #require(RotationAxis(scanText: text))
      #expect(axis.scanText == text)
    }
    for text in ["from:", "latest", "nan", "inf", ""] { #expect(RotationAxis(scanText: text) == nil, "\(text)") }
    var scan = scan(.run("/data/run-17"), run: nil)
    #expect(ScanFile.effective(scan, command: ["slipring"], axisFound: 12.5).contains("rotation-axis: 12.5  # that of"))
    scan.rotationAxis = .run("~/run")
    #expect(scan.homeProblem?.contains("--rotation-axis ~/run") == true)
  }
}
