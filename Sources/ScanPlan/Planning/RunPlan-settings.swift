package import Detectors
import Fabric
import Rings
import RunModel
import ScanFiles
package import Stages
import Tomography

// What each stage of a run works with, beside the configurations that RunPlan makes.
extension RunPlan: StageSettings {
  /// The run's identifier, in words.
  package var run: String { runID.description }

  /// A detector that does not wait sets the rate itself.
  package var sourceRate: Double? { live == nil ? scan.rate : nil }

  /// The number that the source gives to its first frame, where that was said.
  package var firstFrame: UInt64 { scan.firstNumber ?? 0 }

  /// What is to be said where the first frame that came is taken for the scan's; nil where that is no guess.
  package func words(forFirstFrame first: UInt64) -> String? {
    guard live != nil, first > 0, scan.firstNumber == nil else { return nil }
    return "the source's frame \(first) is taken for the first one of the scan; if frames before it were lost, "
      + "--first-frame says where the scan begins"
  }

  /// Where the detector is told to stop; nil for nowhere.
  package var stopHook: StopHook? { get throws { try scan.hook } }

  /// What control compares with, where it compares anything: the middle slice of each worker's rows.
  package func monitoredTruths() throws -> [[Float]?] {
    guard scan.comparesSlices else { return [] }
    let reference = try scan.reference.map { try VolumeReader(path: $0) }
    let scale = Float(pixelSizeMillimetres ?? 1)
    return try placement.workers.map { worker in
      try reference.map { reference in
        let slice = try reference.slice(worker.rows.lowerBound + MonitoredSlice.row(of: worker.rows.count))
        return slice.map { $0 * scale }
      }
    }
  }

  /// How the finished volume is denoised.
  package var denoisingWork: DenoisingWork? {
    switch scan.denoise {
    case .none: nil
    case .method(let method): .method(method)
    case .program(let path): .program(path)
    }
  }

  /// What outputs are named after: on a node as at the edge.
  var outputName: String { fabric?.name ?? (try? ScanSource(scan.input))?.name ?? "scan" }

  /// What the export writes, and where.
  package var export: ExportConfiguration {
    let name = outputName
    // Where nodes make the slices, the one that this machine has made is for looking at.
    let parts = writesSlices ? scan.format.parts : (tiff: false, hdf5: false, zarr: false)
    var configuration = ExportConfiguration(
      folder: scan.outputFolder, hdf5Name: parts.hdf5 ? "\(name)_rec.h5" : nil,
      tiff: parts.tiff ? scan.bits.sample : nil, firstSlice: firstSlice,
      unit: pixelSizeMillimetres == nil ? "1/pixel" : "1/mm", scale: Float(1 / (pixelSizeMillimetres ?? 1)),
      attributes: [
        "description":
          "attenuation coefficient, reconstructed by Slipring with \(scan.lastAlgorithm.rawValue.uppercased())",
        "command": shellQuoted(scan.withoutSecrets(command)),
        "run": runID.description,
        "field_of_view": geometry.words,
        "axis_tilt": "\(geometry.tiltDegrees)",
        "disk_mask": scan.diskWords,
      ], checks: scan.retain != .keep, fields: shape.flatsAndDarks,
      windowUpdates: updateCount - finalIterationCount(),
      finalIterations: finalSchedule.iterationsMax(projections: shape.projections),
      denoised: scan.denoise.words.map {
        .init(
          hdf5Name: parts.hdf5 ? "\(name)_denoised.h5" : nil, zarrName: parts.zarr ? "\(name)_denoised.zarr" : nil,
          words: $0)
      })
    if let axis = knownAxis { configuration.note(axis: FoundAxis(axis, error: rotationAxisError ?? 0)) }
    if let notices = inputNotices, !notices.isEmpty {
      configuration.attributes["input_notices"] = notices.joined(separator: "\n")
    }
    if let fabric {
      configuration.attributes["edge_run"] = fabric.run.description
      configuration.attributes["edge_granules"] = fabric.words
      configuration.partSlices = fabric.granules.each
    }
    configuration.levels = scan.ladder.levels
    configuration.firstRow = reconstructedRows.lowerBound
    configuration.about = description(name: name)
    configuration.range = scan.range ?? .standard
    configuration.masksIntegers = scan.masksIntegers
    configuration.zarr = parts.zarr ? ("\(name)_rec.zarr", scan.zarrVersion) : nil
    configuration.compresses = scan.compress
    configuration.asksForFloat = scan.precision == .float
    return configuration
  }
}

extension SampleBits {
  fileprivate var sample: ExportConfiguration.Sample {
    switch self {
    case .eight: .uint8
    case .sixteen: .uint16
    case .thirtyTwo: .float32
    }
  }
}

extension VolumeReader {
  /// Slice `z` in the unit of the file.
  fileprivate func slice(_ z: Int) throws -> [Float] {
    try [Float](unsafeUninitializedCapacity: columns * columns) { buffer, count in
      try readSlice(z, into: UnsafeMutableBufferPointer(rebasing: buffer[..<(columns * columns)]))
      count = columns * columns
    }
  }
}
