import CHDF5
import Foundation
import Host
import ScanFiles
import TestSupport
import Testing

@Suite struct BadInputTests {
  let folder: TestFolder
  let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.h5")
  }

  private func open() throws { _ = try openScan(path: path) }

  @Test func `a missing file cannot be opened`() {
    expectFailure(66, path, "No such file") { try open() }
  }

  @Test func `a folder is not a scan file`() {
    expectFailure(66, folder.path, "folder") { _ = try openScan(path: folder.path) }
  }

  @Test func `a path through a file cannot be opened`() throws {
    try writeFileAtomically(path: path, text: "text")
    expectFailure(66, "Not a directory") { _ = try openScan(path: "\(path)/scan.h5") }
  }

  @Test(.enabled(if: geteuid() != 0, "root reads everything")) func `an unreadable file cannot be opened`() throws {
    try makeDXchange(path)
    #expect(chmod(path, 0) == 0)
    expectFailure(66, "Permission denied") { try open() }
  }

  @Test func `a FIFO is refused and not waited for`() {
    #expect(mkfifo(path, 0o600) == 0)
    expectFailure(66, "not a file") { try open() }
  }

  @Test(arguments: ["", "a text file, longer than a signature"]) func `a file that is not HDF5 is refused`(text: String)
    throws
  {
    try writeFileAtomically(path: path, text: text)
    expectFailure(65, path, "not an HDF5 file") { try open() }
  }

  @Test func `a file without a scan names both layouts`() throws {
    _ = try TestHDF5(path)
    expectFailure(65, "/exchange/data", "NXtomo") { try open() }
  }

  @Test(arguments: [[], [60], [12, 5], [1, 4, 3, 5]]) func `data of another rank than 3 is refused with its shape`(
    shape: [Int]
  ) throws {
    let file = try TestHDF5(path)
    try file.add("/exchange/data", shape)
    expectFailure(65, "/exchange/data", "rank 3") { try open() }
  }

  @Test(arguments: [[0, 3, 5], [4, 0, 5], [4, 3, 0]]) func `data of size zero is refused`(shape: [Int]) throws {
    let file = try TestHDF5(path)
    try file.add("/exchange/data", shape)
    expectFailure(65, "/exchange/data", "empty") { try open() }
  }

  @Test func `data of an absurd size is refused`() throws {
    let type = try integerType(byteCount: 1, isSigned: false)
    let file = try TestHDF5(path)
    try file.addUnwritten("/exchange/data", [1 << 40, 3, 5], type: type.id)
    expectFailure(65, "/exchange/data", "absurd", "1099511627776") { try open() }
  }

  @Test(arguments: [1, 3]) func `fewer thetas than projections are refused`(count: Int) throws {
    try makeDXchange(path, thetas: [Double](repeating: 0, count: count))
    expectFailure(65, "/exchange/theta", "\(count) values", "4 frames") { try open() }
  }

  @Test(arguments: [1e308, -1e10]) func `a theta of more than a million turns is refused with its place`(theta: Double)
    throws
  {
    try makeDXchange(path, thetas: [0, 45, theta, 135])
    expectFailure(65, "/exchange/theta[2]", "a million turns") { try open() }
  }

  @Test(arguments: [Double.nan, .infinity]) func `a theta that is no number is refused with its place`(theta: Double)
    throws
  {
    try makeDXchange(path, thetas: [0, 45, theta, 135])
    expectFailure(65, "/exchange/theta[2]", "\(theta)") { try open() }
  }

  @Test func `thetas that are half described are an error that says where they could be`() throws {
    try makeDXchange(path, thetas: nil) {
      try $0.add("/process/acquisition/rotation/rotation_start", [1], [0], type: chdf5_double_le())
    }
    expectFailure(65, "/exchange/theta", "rotation_step") { try open() }
  }

  @Test(arguments: ["data_white", "data_dark"], [[2, 3, 4], [2, 4, 5], [5, 3], [3, 1], [15], [2, 1, 3, 5]])
  func `flats or darks of another shape are refused`(name: String, shape: [Int]) throws {
    try makeDXchange(path) { try $0.add("/exchange/\(name)", shape) }
    expectFailure(65, "/exchange/\(name)", shape.map(String.init).joined(separator: " × "), "3 × 5") { try open() }
  }

  @Test(arguments: ["/exchange/data", "/exchange/theta", "/exchange/data_dark"])
  func `a type that is no number is refused by name`(dataset: String) throws {
    func check(_ type: borrowing HDF5Handle, _ name: String) throws {
      let file = try TestHDF5(path)
      for part in ["/exchange/data", "/exchange/theta", "/exchange/data_dark"] {
        let shape = part.hasSuffix("theta") ? [4] : [4, 3, 5]
        if part == dataset { try file.addUnwritten(part, shape, type: type.id) } else { try file.add(part, shape) }
      }
      expectFailure(65, dataset, name) { try open() }
    }
    try check(compoundType(["r", "i"]), "complex")
    try check(compoundType(["x", "y", "z"]), "compound")
    try check(HDF5Handle { chdf5_string_type() }, "string")
  }

  @Test func `a dataset compressed by an unknown filter is refused before it is read`() throws {
    try makeDXchange(path) { try $0.addWithUnknownFilter("/exchange/data_white", [2, 3, 5]) }
    expectFailure(65, "/exchange/data_white", "31999", "HDF5_PLUGIN_PATH", "hdf5plugin") { try open() }
  }

  @Test func `a truncated file is a clean error or a good read at every length`() throws {
    let seed = UInt64(20_251)
    var random = SplitMix64(seed: seed)
    let cut = folder.file("cut.h5")
    for chunk in [nil, [2, 3, 5]] {
      let file = try TestHDF5(path)
      try file.add("/exchange/data", [16, 3, 5], chunk: chunk, deflate: chunk != nil)
      try file.add("/exchange/data_white", [2, 3, 5])
      try file.add("/exchange/theta", [16], type: chdf5_double_le(), units: "degrees")
      file.close()
      let bytes = try Data(contentsOf: URL(filePath: path))
      #expect(throws: Never.self) { try openScan(path: path).readEverything() }
      let lengths =
        [0, 1, 8, 95, 96, bytes.count - 1] + (0..<200).map { _ in Int.random(in: 0..<bytes.count, using: &random) }
      for length in lengths {
        try bytes.prefix(length).write(to: URL(filePath: cut))
        do { try openScan(path: cut).readEverything() } catch let error as FileError {
          #expect(error.exitCode == 65, "\(error), at length \(length) of seed \(seed)")
        }
      }
    }
  }
}
