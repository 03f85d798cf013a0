import Fabric
import Foundation
import Host
import Rings
import Stages

/// What the edge of a scan tells its nodes before its first image: everything that decides the bits of a slice, and
/// nothing of where and how fast. It has no path and no secret, and a node runs nothing that it names.
///
/// It lies as JSON under the key `plan` of the run's store on the fabric, and anybody who may write there may have made
/// it: `init(decoding:)` believes nothing.
struct FabricPlan: Codable, Equatable, Sendable {
  /// The key of the store.
  static let key = UplinkConfiguration.planKey
  /// The most bytes.
  static let byteCountMax = 64 << 10
  /// The version that this build writes, and the only one that it reads. It rises when a value gets another meaning.
  static let versionRead = 2

  /// The version of this plan.
  private(set) var version = Self.versionRead
  /// The program of the edge.
  var program: String
  /// The run at the edge.
  var run: RunID
  /// What outputs are named after.
  var name: String
  /// The topic whose images go to nodes: as acquired, or as corrected.
  var images: String
  /// Bytes of a pixel at most.
  var pixelByteCount: Int
  /// Rows of an image at the edge.
  var rows: Int
  /// Columns of it.
  var columns: Int
  /// Rows of a granule.
  var granule: Int
  /// The number of the slice of its first row.
  var firstSlice: Int
  /// Projections of the scan.
  var projections: Int
  /// Flat fields.
  var flats: Int
  /// Dark fields.
  var darks: Int
  /// Whether fields may come among or behind the projections.
  var fieldsMayComeLate: Bool
  /// Whether the data are counts.
  var minusLog: Bool
  /// The rotation axis in columns of an image.
  var rotationAxis: Double
  /// Its standard error in pixels of the detector; nil of one that was given.
  var rotationAxisError: Double?
  /// Its tilt; nil for none.
  var tilt: ScanTilt?
  /// Projections of a half turn, in different directions.
  var projectionsPerHalfTurn: Int
  /// Projections, in the order in which they come, that see the object from all directions.
  var projectionsCovering: Int
  /// Size of a voxel; nil where it is not known.
  var pixelSizeMillimetres: Double?
  /// Whether nodes send their slices back; nil for no.
  var returnsSlices: Bool?
  /// The keys of the edge's description that decide the bits, and their words.
  var keys: [String: String]

  /// The rows of each granule.
  var granules: Granules { Granules(rows: rows, each: granule) }

  /// The same as JSON.
  func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self), data.count <= Self.byteCountMax else {
      preconditionFailure("a plan of numbers and short words is JSON of \(Self.byteCountMax) bytes at most")
    }
    return Array(data)
  }
}

extension FabricPlan {
  /// Reads a plan that says to be that of `run`.
  /// - Throws: `.data` where it is another version's, another run's, or none.
  init(decoding bytes: [UInt8], run: RunID) throws(ScanFailure) {
    struct Version: Decodable { let version: Int }
    func damaged(_ reason: String) -> ScanFailure {
      ScanFailure(.data, "the plan of run \(run) on the fabric is none: \(reason)")
    }
    guard bytes.count <= Self.byteCountMax else { throw damaged("it has \(bytes.count) bytes") }
    let decoder = JSONDecoder(), data = Data(bytes)
    guard let version = try? decoder.decode(Version.self, from: data).version else {
      throw damaged("it names no version")
    }
    guard version == Self.versionRead else {
      throw ScanFailure(
        .data,
        "the plan of run \(run) on the fabric has version \(version), and this slipring reads \(Self.versionRead): use "
          + "the same program at the edge and on its nodes")
    }
    do { self = try decoder.decode(Self.self, from: data) } catch {
      throw damaged("a value in it is missing, or of another kind")
    }
    guard self.run == run else { throw damaged("it is that of run \(self.run)") }
    if let problem { throw damaged(problem) }
  }

  private static let (topics, keysMax, wordMax) = (["projections", "corrected"], 128, 255)

  /// What is wrong with it; nil where nothing is.
  private var problem: String? {
    let counts: [(String, Int, ClosedRange<Int>)] = [
      ("rows", rows, 1...65_536), ("columns", columns, 1...65_536), ("granule", granule, 1...max(1, min(rows, 65_536))),
      ("first slice", firstSlice, 0...ScanKey.countMax),
      ("projections", projections, 1...ScanKey.countMax), ("flats", flats, 0...ScanKey.countMax),
      ("darks", darks, 0...ScanKey.countMax),
      ("projections of a half turn", projectionsPerHalfTurn, 1...ScanKey.countMax),
      ("projections of all directions", projectionsCovering, 1...ScanKey.countMax),
    ]
    for (name, count, range) in counts where !range.contains(count) { return "\(name): \(count)" }
    guard [1, 2, 4].contains(pixelByteCount) else { return "bytes of a pixel: \(pixelByteCount)" }
    guard Self.topics.contains(images) else { return "it has images of another topic" }
    guard Self.isPlain(name, byteCountMax: Self.nameMax), !name.hasPrefix("."), !name.contains("/"),
      Self.isPlain(program, byteCountMax: Self.wordMax)
    else {
      return "a name in it is none"
    }
    guard rotationAxis > 0, rotationAxis < Double(columns), rotationAxisError.map({ $0 >= 0 && $0 <= 65_536 }) ?? true
    else { return "the rotation axis is at \(rotationAxis)" }
    if let tilt, !(abs(tilt.degrees) <= AxisTilt.degreesMax && abs(tilt.middle) <= 1e6) {
      return "the rotation axis is tilted by \(tilt.degrees)°"
    }
    guard pixelSizeMillimetres.map({ $0 > 0 && $0 <= 1e3 }) ?? true else { return "a pixel has no size" }
    guard keys.count <= Self.keysMax,
      keys.values.allSatisfy({ $0.isEmpty || Self.isPlain($0, byteCountMax: Self.wordMax) })
    else {
      return "its description is too long, or has characters that are not printed"
    }
    return nil
  }

  /// Bytes of a name: what is added to it for files fits into the 255 of a file's.
  private static let nameMax = 240

  /// Whether a text is what it looks like where it is printed: no control characters, none that turn or break a line.
  private static func isPlain(_ text: String, byteCountMax: Int) -> Bool {
    (1...byteCountMax).contains(text.utf8.count)
      && text.unicodeScalars.allSatisfy { scalar in
        // Letters of some scripts, and faces, are joined by the first two.
        if scalar == "\u{200C}" || scalar == "\u{200D}" { return true }
        return switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
        default: true
        }
      }
  }
}

extension FabricPlan {
  /// Keys whose words decide the bits of a slice, what its values mean, or how its updates are scored for the edge to
  /// decide with: a node takes them from the edge.
  static let decidingKeys: Set = [
    "minus-log", "flat-fields", "rotation-axis", "axis-tilt", "field-of-view", "binning", "algorithm", "final",
    "window-length", "window-step", "window-iter", "window-recent", "window-spread", "window-memory",
    "final-iterations", "final-subsets", "window-subsets", "initial", "reg", "filter", "relaxation", "non-negative",
    "disk-mask", "preset", "precision", "weight", "tv-dimensions", "inner-steps", "momentum-max", "relaxed-sweeps",
    "doubled-sweeps", "huber", "count-weights", "padding", "stripe-removal", "energy", "sample",
    "stop-ssim", "stop-scale", "stop-distance", "stop-patience", "stop-after",
  ]

  /// Keys that a node has of its own: where, how fast, and what files are like.
  static let ownKeys: Set = [
    "input", "output-folder", "run-folder", "granules", "node-name", "edge-patience", "fabric-credentials",
    "fabric-authority", "workers", "threads", "bands",
    "format", "bits", "range", "zarr-version", "compress", "log-level", "durability", "checkpoint-every", "retain",
    "scrub",
    "events", "events-config", "events-patience", "accept-commands", "trigger", "stage", "view",
  ]

  /// What the keys of `scan` come to on a node.
  static func words(of scan: ScanDescription) -> [String: String] {
    scan.words.filter { decidingKeys.contains($0.key) }
  }

  /// The description that a node works from: its own, with the edge's keys and the input as it was found.
  /// - Throws: `.usage` for a key that is not a node's, `.data` for one of the plan that has no meaning.
  func description(of node: ScanDescription, input: String) throws(ScanFailure) -> ScanDescription {
    var scan = node
    scan.input = input
    for key in ScanKey.all where !Self.ownKeys.contains(key.name) {
      let said = key.text(node), planned = keys[key.name]
      // Whoever runs a node's own scan.yaml again says what the plan says.
      guard said == key.text(.standard) || Self.decidingKeys.contains(key.name) && said == planned else {
        throw ScanFailure(
          .usage,
          "--\(key.name) \(said ?? "") is decided at the edge: a node of \(node.input) has the options of run \(run), "
            + "and its own are about rows, cores and files; leave it out")
      }
    }
    for (name, word) in keys.sorted(by: { $0.key < $1.key }) {
      guard Self.decidingKeys.contains(name) else {
        throw ScanFailure(.data, "the plan of run \(run) on the fabric is none: \(name) is no key of a node")
      }
      do throws(ScanFailure) { try scan.set(name, to: word) } catch {
        throw ScanFailure(.data, "the plan of run \(run) on the fabric is none: \(error)")
      }
    }
    if let problem = scan.problems().first {
      throw ScanFailure(.data, "the plan of run \(run) on the fabric cannot be carried out here: \(problem)")
    }
    return scan
  }
}
