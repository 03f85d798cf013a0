import Foundation
import Glibc
import Host
import Rings
import ScanPlan
import TestSupport
import Testing

@testable import Run

@Suite struct OutputFolderTests {
  private let folder: TestFolder
  private let first = RunID.random()
  private let second = RunID.random()
  private static let slices = (0..<4).map { "recon_0000\($0).tiff" }
  private static let files = slices + ["foam_rec.h5", "scan.yaml"]

  init() throws { folder = try TestFolder() }

  private var path: String { folder.file("out") }

  private func take(_ run: RunID, _ files: [String] = Self.files, overwrites: Bool = false) throws -> OutputFolder {
    try OutputFolder(path, run: run, files: files, overwrites: overwrites)
  }

  private func write(_ names: [String], _ text: String = "result") throws {
    for name in names { try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8) }
  }

  private func names() throws -> [String] { try folder.names(in: "out") }

  /// Expects a refusal, which changes nothing.
  private func expectRefusal(
    _ fragments: String..., at location: SourceLocation = #_sourceLocation, _ body: () throws -> OutputFolder
  ) throws {
    let before = try names()
    let error = #expect(throws: ScanFailure.self, sourceLocation: location) { _ = try body() }
    #expect(error?.exitCode == 73, sourceLocation: location)
    for fragment in fragments {
      #expect(
        error?.description.contains(fragment) == true, "'\(fragment)' is missing: \(error?.description ?? "")",
        sourceLocation: location)
    }
    #expect(try names() == before, sourceLocation: location)
  }

  @Test func `A folder is made, listed and locked, and the lock goes with its owner`() throws {
    do {
      let output = try take(first)
      #expect(try names() == [".slipring-lock", "outputs.json"])
      try expectRefusal("process \(getpid()) writes the result of another run to \(path)") { try take(second) }
      try expectRefusal("living supervisor, process \(getpid());") { try take(first) }
      withExtendedLifetime(output) {}
    }
    #expect(try names() == ["outputs.json"])
  }

  @Test func `A lock whose owner died is taken over`() throws {
    try RunFolder.makeFolder(path, for: .usual)
    try write([".slipring-lock"], "1 \(first)")
    let output = try take(second)
    try expectRefusal("process \(getpid()) writes") { try take(first) }
    withExtendedLifetime(output) {}
  }

  @Test func `A run takes its own folder again, with its files and without`() throws {
    _ = try take(first)
    try write(Self.files)
    _ = try take(first)
    // An export of the same run adds its files to the list.
    _ = try take(first, ["foam_denoised.h5"])
    try write(["foam_denoised.h5"])
    _ = try take(first)
    #expect(try names() == ["foam_denoised.h5", "foam_rec.h5", "outputs.json"] + Self.slices + ["scan.yaml"])
  }

  @Test func `The files of another run are refused, and make room where that was asked for`() throws {
    _ = try take(first)
    try write(Self.files + ["notes.txt", "recon.tiff"])
    try FileManager.default.createDirectory(atPath: path + "/run-1", withIntermediateDirectories: false)
    try expectRefusal(
      "result of another run (\("\(first)".prefix(8)))", "foam_rec.h5 and 4 more files", "--output-folder",
      "--overwrite"
    ) { try take(second, ["recon_00009.tiff"]) }
    _ = try take(second, ["recon_00009.tiff"], overwrites: true)
    #expect(try names() == ["notes.txt", "outputs.json", "recon.tiff", "run-1"])
    try expectRefusal("cannot create the folder") {
      try OutputFolder(path + "/notes.txt", run: first, files: Self.files, overwrites: true)
    }
  }

  @Test func `A run that left no result is in nobody's way`() throws {
    _ = try take(first)
    try write(["scan.yaml"])
    _ = try take(second)
    try write(["recon_00001.tiff"])
    try expectRefusal("result of another run (\("\(second)".prefix(8))): recon_00001.tiff;") { try take(first) }
  }

  @Test(arguments: ["recon_00001.tiff", "recon_00777.tiff", "denoised_00000.tif", "foam_rec.h5"])
  func `What no run has listed is never removed and never mixed with slices`(name: String) throws {
    try RunFolder.makeFolder(path, for: .usual)
    try write([name])
    for overwrites in [false, true] {
      try expectRefusal("\(path) has \(name),", "outputs.json", "move it away") {
        try take(first, overwrites: overwrites)
      }
    }
    // Where nothing has its name or is its like, it may stay.
    if name.hasSuffix("tiff") { _ = try take(first, ["foam_rec.h5"], overwrites: true) }
    #expect(try names().contains(name))
  }

  @Test(arguments: [
    "", "{", "{}", "[1]", #"{"run": "1", "files": []}"#,
    #"{"run": "0123456789abcdef0123456789abcdef", "files": ["../precious.h5"]}"#,
    #"{"run": "0123456789abcdef0123456789abcdef", "files": ["notes.txt"]}"#,
    #"{"run": "0123456789abcdef0123456789abcdef", "files": [7]}"#,
  ])
  func `A list that no run wrote is not believed`(text: String) throws {
    try RunFolder.makeFolder(path, for: .usual)
    try write(["outputs.json", "notes.txt"], text)
    try "precious".write(toFile: folder.file("precious.h5"), atomically: false, encoding: .utf8)
    try expectRefusal("outputs.json does not hold what a run writes there") { try take(first, overwrites: true) }
    #expect(try folder.names() == ["out", "precious.h5"])
  }

  @Test func `What is listed and is no file is not removed`() throws {
    _ = try take(first)
    try write(["recon_00000.tiff"])
    try FileManager.default.createDirectory(atPath: path + "/foam_rec.h5", withIntermediateDirectories: false)
    try expectRefusal("foam_rec.h5 is in the way") { try take(second, overwrites: true) }
  }
}
