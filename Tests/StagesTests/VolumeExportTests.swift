import Foundation
import Host
import KernelTypes
import RunModel
import ScanFiles
import TestSupport
import Testing
import Tomography

@testable import Stages

@Suite struct VolumeExportTests {
  private static let columns = 21
  private static let firstSlice = 7
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// Voxel values of a slice: some below zero, one that is not a number.
  private func slice(_ index: Int) -> [Float] {
    (0..<Self.columns * Self.columns).map { pixel in
      pixel == 5 && index == 1 ? .nan : Float(pixel * 31 % 97 - 13) * 0.25 + Float(index)
    }
  }

  /// The slices of several workers, whose blocks have all widths.
  private func parts(rows: [Int]) -> [SavedVolume.Rows] {
    var first = 0
    return rows.map { rows in
      let layout = SliceLayout(columns: Self.columns, rows: rows)
      let memory = ScratchMemory(byteCount: layout.volumeByteCount)
      for row in 0..<rows {
        slice(first + row).withUnsafeBufferPointer { layout.setSlice(row: row, in: memory.start, from: $0) }
      }
      first += rows
      let slices = GenerationSlices(layout: layout, live: nil, base: UnsafeRawPointer(memory.start))
      return SavedVolume.Rows(slices: slices, memory: memory)
    }
  }

  private func volume(rows: [Int]) -> SavedVolume { SavedVolume(parts(rows: rows)) }

  private func configuration(
    _ sample: ExportConfiguration.Sample, scale: Float, range: SampleRange = .percentiles(0, 100)
  ) -> ExportConfiguration {
    var configuration = ExportConfiguration(
      folder: folder.path, hdf5Name: "v.h5", tiff: sample, firstSlice: Self.firstSlice, unit: "1/mm", scale: scale,
      attributes: [:], checks: true, fields: 0, windowUpdates: 0, finalIterations: 0, denoised: nil)
    configuration.range = range
    return configuration
  }

  /// The finite values inside the disks of slices.
  private func inDisk(_ slices: [[Float]]) -> [Float] {
    let disk = DiskMask(columns: Self.columns, isDisk: true)
    return slices.flatMap { slice in
      (0..<Self.columns).flatMap { row in disk.columns(row: row).map { slice[row * Self.columns + $0] } }
    }.filter(\.isFinite)
  }

  @Test(arguments: [ExportConfiguration.Sample.float32, .uint16, .uint8], [Float(1), 0.5])
  func `What is written in groups is what is written slice by slice`(sample: ExportConfiguration.Sample, scale: Float)
    throws
  {
    let rows = [70, 3, 17], count = rows.reduce(0, +)
    let written = try #require(
      try volume(rows: rows).export(configuration(sample, scale: scale), facts: [:]) { false })
    let names = (0..<count).map { "recon_000\($0 + Self.firstSlice < 10 ? "0" : "")\($0 + Self.firstSlice).tiff" }
    #expect(written.outputs == (names + ["v.h5"]).map(folder.file))
    #expect(try folder.names() == names + ["v.h5"])
    var digest = SHA256()
    for index in 0..<count { slice(index).map { $0 * scale }.withUnsafeBytes { digest.update($0) } }
    let expected = digest.hexDigest()
    #expect(written.volumeSHA256 == expected)
    let slices = (0..<count).map { slice($0).map { $0 * scale } }
    let all = inDisk(slices), range = try #require(all.min())...(try #require(all.max()))
    #expect(written.range == (sample == .float32 ? nil : range))
    try expect(slices, in: names, sample.pixels(range))
  }

  /// Expects the files to be what each slice alone is written as.
  private func expect(_ slices: [[Float]], scale: Float = 1, in names: [String], _ pixels: TIFFPixels) throws {
    let slices = slices.map { slice in slice.map { $0 * scale } }
    let reader = try VolumeReader(path: folder.file("v.h5"))
    for (index, values) in slices.enumerated() {
      try values.withUnsafeBufferPointer { values in
        try reader.check(index, values)
        try writeTIFF(
          path: folder.file("alone"), columns: Self.columns, rows: Self.columns, values: values, pixels: pixels,
          description: "slice \(index + Self.firstSlice), attenuation in 1/mm")
      }
      let files = ["alone", names[index]].map { FileManager.default.contents(atPath: folder.file($0)) }
      #expect(files[0] != nil && files[0] == files[1], "slice \(index)")
    }
  }

  @Test(arguments: [ExportConfiguration.Sample.float32, .uint16, .uint8])
  func `Several threads write the files that one thread writes`(sample: ExportConfiguration.Sample) throws {
    let parts = parts(rows: [70, 3, 17])
    let source = VolumeSource(parts: parts.map(\.slices), missing: [])
    func export(threads: Int) throws -> (digest: String, files: [String: Data?]) {
      let export = VolumeExport(
        configuration: configuration(sample, scale: 0.5), source: source, room: nil, stopRequested: { false },
        threads: threads)
      let written = try #require(try export.write([:]))
      #expect(written.outputs.last == folder.file("v.h5"))
      // An HDF5 file says when it was written; what it holds is compared by itself.
      let reader = try VolumeReader(path: folder.file("v.h5"))
      for index in 0..<90 { try slice(index).map { $0 * 0.5 }.withUnsafeBufferPointer { try reader.check(index, $0) } }
      let files = written.outputs.dropLast().map { ($0, FileManager.default.contents(atPath: $0)) }
      for path in written.outputs { try FileManager.default.removeItem(atPath: path) }
      return (written.digest, Dictionary(uniqueKeysWithValues: files))
    }
    let (one, many) = (try export(threads: 1), try export(threads: SliceRounds.threads))
    #expect(one.digest == many.digest && one.files == many.files && one.files.count == 90)
    withExtendedLifetime(parts) {}
  }

  @Test(arguments: [ExportConfiguration.Sample.float32, .uint16, .uint8], [0, 1, 2])
  func `Rows that are missing hold no number, and change nothing else`(
    sample: ExportConfiguration.Sample, missing: Int
  ) throws {
    let rows = [20, 3, 9], first = rows[..<missing].reduce(0, +), parts = parts(rows: rows)
    let source = VolumeSource(
      parts: parts.map(\.slices), missing: [missing])
    #expect(source.missingRows == [first..<first + rows[missing]])
    let export = VolumeExport(
      configuration: configuration(sample, scale: 0.5), source: source, room: nil, stopRequested: { false })
    let written = try #require(try export.write([:]))
    #expect(try export.check())
    withExtendedLifetime(parts) {}
    let slices = (0..<rows.reduce(0, +)).map { index in
      slice(index).map { (first..<first + rows[missing]).contains(index) ? .nan : $0 * 0.5 }
    }
    let numbers = inDisk(slices)
    let range = try #require(numbers.min())...(try #require(numbers.max()))
    let names = written.outputs.map { String($0.dropFirst(folder.file("").count)) }
    try expect(slices, in: names, sample.pixels(range))
  }

  @Test(arguments: [SampleRange.percentiles(5, 90), .values(-1, 20)])
  func `Integers cover the same range in all slices, whatever the corners hold`(range: SampleRange) throws {
    let rows = [20, 3], parts = parts(rows: rows)
    // Outside of the disk, a voxel that is larger than all others.
    var corner = slice(0)
    corner[0] = 1e6
    corner.withUnsafeBufferPointer { parts[0].slices.layout.setSlice(row: 0, in: parts[0].memory.start, from: $0) }
    let written = try #require(
      try SavedVolume(parts).export(configuration(.uint16, scale: 0.5, range: range), facts: [:]) { false })
    let found = try #require(written.range)
    switch range {
    case .values(let low, let high): #expect(found == low...high)
    case .percentiles(let low, let high):
      let sorted = inDisk((0..<23).map { slice($0).map { $0 * 0.5 } }).sorted()
      for (value, percent) in [(found.lowerBound, low), (found.upperBound, high)] {
        let expected = sorted[Int((percent / 100 * Double(sorted.count - 1)).rounded())]
        #expect(abs(value - expected) <= abs(expected) / 1024, "P\(percent)")
      }
    }
    let names = written.outputs.map { String($0.dropFirst(folder.file("").count)) }
    try expect([corner] + (1..<23).map(slice), scale: 0.5, in: names, .uint16(range: found))
    withExtendedLifetime(parts) {}
  }

  @Test(arguments: [ExportConfiguration.Sample.float32, .uint16, .uint8], [false, true])
  func `Outside of the disk integers stand for zero, and floats are as they were computed`(
    sample: ExportConfiguration.Sample, isMasked: Bool
  ) throws {
    var configuration = configuration(sample, scale: 0.5)
    configuration.masksIntegers = isMasked
    let written = try #require(try volume(rows: [3]).export(configuration, facts: [:]) { false })
    let half = Double(Self.columns) / 2
    for index in 0..<3 {
      let computed = slice(index).map { $0 * 0.5 }
      let reader = try VolumeReader(path: folder.file("v.h5"))
      try computed.withUnsafeBufferPointer { try reader.check(index, $0) }
      let expected = computed.enumerated().map { pixel, value -> Float in
        let (x, y) = (Double(pixel % Self.columns) + 0.5 - half, Double(pixel / Self.columns) + 0.5 - half)
        return isMasked && sample != .float32 && x * x + y * y > half * half ? 0 : value
      }
      try expected.withUnsafeBufferPointer { values in
        try checkTIFF(
          path: written.outputs[index], columns: Self.columns, rows: Self.columns, values: values,
          pixels: sample.pixels(written.range))
      }
    }
  }

  @Test func `A volume without a number has a range all the same`() throws {
    let histogram = VoxelHistogram(columns: 4)
    #expect(histogram.value(atPercent: 0) == 0 && histogram.value(atPercent: 99.9) == 0)
  }

  @Test func `A volume in Zarr is read back, and one that is stopped leaves none`() throws {
    var configuration = configuration(.float32, scale: 0.5)
    (configuration.zarr, configuration.tiff, configuration.hdf5Name) = (("v.zarr", .v05), nil, nil)
    let written = try #require(try volume(rows: [20, 3]).export(configuration, facts: [:]) { false })
    #expect(written.outputs == [folder.file("v.zarr")] && written.range == nil)
    #expect(try folder.names() == ["v.zarr"])
    var asked = 0
    (configuration.folder, configuration.zarr) = (folder.path, ("w.zarr", .v04))
    let stopped = try volume(rows: [20, 3]).export(configuration, facts: [:]) {
      asked += 1
      return asked > 18
    }
    #expect(try stopped == nil && folder.names() == ["v.zarr"])
  }

  @Test(arguments: [0, 1, 16, 40, 89]) func `An export that is stopped leaves whole files only`(after: Int) throws {
    var asked = 0
    let written = try volume(rows: [70, 3, 17]).export(configuration(.float32, scale: 1), facts: [:]) {
      asked += 1
      return asked > after
    }
    #expect(written == nil)
    // Names come in groups of 16.
    #expect(try folder.names().count == after / 16 * 16)
  }

  @Test func `A file that cannot be made ends the export, and leaves whole files only`() throws {
    try FileManager.default.createDirectory(atPath: folder.file("recon_00047.tiff"), withIntermediateDirectories: false)
    expectFailure(73, "recon_00047.tiff") {
      _ = try volume(rows: [70, 3, 17]).export(configuration(.float32, scale: 1), facts: [:]) { false }
    }
    // Slice 40 is in the third group.
    #expect(try folder.names().count == 32 + 1)
  }
}
