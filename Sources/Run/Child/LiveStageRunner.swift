import Foundation
import Glibc
import Host
import Rings
import RunModel
import ScanFiles
import ScanPlan
import Stages

/// The life of a process that works beside the run where `--stage` names one of Slipring's own works, and of the one
/// that saves what any of them has made.
package struct LiveStageRunner {
  private let record: UserStages.Record
  private let folder: RunFolder
  private let plan: RunPlan
  private let names: RegionNames

  private static let pause: Duration = .milliseconds(50)

  /// Reads the run's plan. `regions` is the run's folder in /dev/shm.
  package init(stage: String, folder: RunFolder, regions: String) throws {
    self.folder = folder
    plan = try folder.readPlan()
    names = RegionNames(folder: regions)
    guard let record = plan.scan.stage?.records.first(where: { $0.name == stage }) else {
      throw ScanFailure(.usage, "the run has no stage \(stage)")
    }
    self.record = record
  }

  /// Works until what the stage reads is complete: until its standard input ends. Says figures on its output.
  package func run() throws {
    guard let work = record.work.live else {
      throw ScanFailure(.usage, "there is no stage \(record.name) of Slipring's")
    }
    Priority.lower(by: 19)
    let stage = LiveStage(
      work, pace: pace,
      LiveStage.Environment(
        source: try source(of: record), grey: try grey(), output: try output(isReadOnly: false),
        threads: plan.workersPlace.threads, waitForEnd: Self.waitForEnd, say: Self.say, write: write))
    try stage.run()
  }

  private var pace: LiveStage.Pace {
    record.every == "final" ? .final : .every(.seconds(Int(record.every.dropLast()) ?? 0))
  }

  private func source(of record: UserStages.Record) throws -> LiveSource {
    guard let name = record.reads else {
      return LiveSource(
        .workers(
          try plan.placement.workers.indices.map {
            try VolumeRegion.attach(
              name: names.volume($0), runID: plan.runID, partition: $0, layout: plan.layout(ofWorker: $0),
              live: plan.liveLayout(ofWorker: $0), coarse: plan.coarseLayout(ofWorker: $0), isReadOnly: true)
          }))
    }
    return LiveSource(.stage(try volume(name, isReadOnly: true)))
  }

  /// The numbers behind labels that are analysed.
  private func grey() throws -> LiveSource? {
    guard case .live(.analyse) = record.work, let labels = plan.scan.stage?.record(record.reads),
      labels.writes == .labels
    else { return nil }
    // A program's labels may be made of other labels.
    if let source = plan.scan.stage?.record(labels.reads), source.writes != .volume { return nil }
    return try source(of: labels)
  }

  private func output(isReadOnly: Bool) throws -> StageVolume? {
    try record.writes.map { _ in try volume(record.name, isReadOnly: isReadOnly) }
  }

  private func volume(_ name: String, isReadOnly: Bool) throws -> StageVolume {
    guard let pixel = plan.scan.stage?.record(name)?.writes?.pixel else {
      throw ScanFailure(.usage, "the run has no stage \(name) that writes")
    }
    return try StageVolume.attach(
      name: names.stageVolume(name), runID: plan.runID, slices: plan.slices, columns: plan.geometry.columns,
      pixel: pixel, isReadOnly: isReadOnly)
  }

  /// The end of the input is the end of the work on what is read.
  private static func waitForEnd() throws -> Bool {
    guard try !Poll.wait(readable: [0], timeout: pause).isEmpty else { return false }
    var byte: UInt8 = 0
    return read(0, &byte, 1) <= 0
  }

  private static func say(_ figures: [String: Double]) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let finite = figures.filter { $0.value.isFinite }
    guard let data = try? encoder.encode(finite) else { preconditionFailure("finite numbers are JSON") }
    let line = Array(data) + [UInt8(ascii: "\n")]
    // Fits into a pipe's page, so it is written whole. Where nobody reads it, nobody needs it.
    _ = line.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
  }

  /// Writes what was found beside the volume.
  private func write(_ analysis: VolumeAnalysis) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let files = plan.stageFiles(of: record)
    let outputs = files.map { "\(plan.scan.outputFolder)/\($0)" }
    for path in outputs {
      if path.hasSuffix(".json") {
        try writeFileAtomically(path: path, bytes: Array(try encoder.encode(analysis)) + [UInt8(ascii: "\n")])
      } else {
        try writeTables(path: path, tables: analysis.tables, attributes: attributes.merging(analysis.words) { $1 })
      }
    }
    try folder.write(SavedStage(outputs: outputs, digest: nil), to: folder.savedStage(record.name))
  }

  /// Saves what the stage has made of the finished volume, with what it said of that, and a checksum.
  package func save(_ figures: [String: String]) throws {
    guard let volume = try output(isReadOnly: true) else {
      throw ScanFailure(.usage, "the stage \(record.name) writes nothing")
    }
    let generation = volume.newest
    guard generation.number > 0, generation.isComplete else {
      throw ScanFailure(.data, "the stage \(record.name) has made nothing of the finished volume")
    }
    let byteCount = volume.columns * volume.columns * volume.pixel.byteCount
    let slice = { UnsafeRawBufferPointer(start: volume.slice($0, of: generation), count: byteCount) }
    var digest = SHA256()
    for index in 0..<volume.slices { digest.update(slice(index)) }
    let sum = digest.hexDigest()
    let outputs = plan.stageFiles(of: record).map { "\(plan.scan.outputFolder)/\($0)" }
    for path in outputs {
      try writeStageVolume(
        path: path, slices: volume.slices, columns: volume.columns, pixel: volume.pixel,
        attributes: figures.merging(attributes) { $1 }.merging(["sha256": sum]) { $1 }.merging(try model()) { $1 },
        slice: slice)
    }
    try folder.write(SavedStage(outputs: outputs, digest: sum), to: folder.savedStage(record.name))
  }

  /// Which model it was made by.
  private func model() throws -> [String: String] {
    try record.work.model.map { path in
      ["model": path, "model_sha256": try StageModel(of: record.name, from: path, in: folder).sha256]
    } ?? [:]
  }

  private var attributes: [String: String] { ["run": plan.runID.description, "stage": record.words] }
}

/// Files that a stage beside the run has made.
struct SavedStage: Codable {
  /// Their paths.
  let outputs: [String]
  /// Checksum of its volume's voxels, slice by slice; nil where it has none.
  let digest: String?
}

extension VolumeAnalysis {
  fileprivate var tables: [(name: String, numbers: [Double], shape: [Int], units: String)] {
    // Sizes that several pores have stand once.
    let sizes = Dictionary(grouping: sizes) { $0 }.map { [Double($0.key), Double($0.value.count)] }
      .sorted { $0[0] > $1[0] }
    let bins = histogram.map { histogram in
      histogram.counts.enumerated().flatMap { index, count in
        [
          histogram.low + (Double(index) + 0.5) * (histogram.high - histogram.low) / Double(histogram.counts.count),
          Double(count),
        ]
      }
    }
    return [
      ("porosity", porosityOfSlices, [porosityOfSlices.count], "1"),
      ("pore_sizes", sizes.flatMap { $0 }, [sizes.count, 2], "voxels, pores"),
      ("histogram", bins ?? [], [(bins?.count ?? 0) / 2, 2], "1/pixel, voxels"),
    ]
  }

  fileprivate var words: [String: String] {
    var words = ["porosity": "\(porosity)", "pores": "\(sizes.count)", "within": "\(within)"]
    words["threshold"] = threshold.map { "\($0)" }
    return words
  }
}
