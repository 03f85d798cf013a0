package import Detectors
import Host
import ScanFiles
import Tomography

import struct Foundation.URL

/// Where the images of a scan come from, as `input` names it.
package enum ScanSource: Equatable, Sendable {
  /// A DXchange or NXtomo file, or TIFF files: a folder of them, a pattern, a stack.
  case file(String)
  /// A detector that sends by ZeroMQ.
  case stream(StreamAddress)
  /// A process variable of EPICS that holds images.
  case variable(PVAccessAddress)
  /// A folder in which TIFF files appear, or an HDF5 file that is being written.
  case folder(String)
  /// A folder to which somebody else writes what the detector sends: that of a scan of `slipring serve`.
  case spool(String)
  /// A run at the edge, some of whose rows come from a fabric.
  case fabric(FabricInput)

  /// What a watched folder's path follows.
  static let folderPrefix = "watch:"
  /// What a spool's path follows.
  package static let spoolPrefix = "spool:"

  /// Reads what `input` says; throws where it names a stream that is none.
  init(_ input: String) throws(ScanFailure) {
    if input.hasPrefix(Self.folderPrefix) {
      let path = String(input.dropFirst(Self.folderPrefix.count))
      guard !path.isEmpty else { throw ScanFailure(.usage, "\(input) names no folder, as in watch:/data/scan-17") }
      self = .folder(path)
      return
    }
    if input.hasPrefix(Self.spoolPrefix) {
      let path = String(input.dropFirst(Self.spoolPrefix.count))
      guard !path.isEmpty else { throw ScanFailure(.usage, "\(input) names no folder") }
      self = .spool(path)
      return
    }
    if FabricInput.isMeant(by: input) {
      self = .fabric(try FabricInput(input))
      return
    }
    do throws(StreamError) {
      if input.hasPrefix(PVAccessAddress.scheme) {
        self = .variable(try PVAccessAddress(input))
        return
      }
      guard input.hasPrefix(StreamAddress.scheme) else {
        self = .file(input)
        return
      }
      let address = try StreamAddress(input)
      guard address.pattern == .pull || address.pattern == .sub else {
        throw .address(input, "it sends, and input is where projections come from: zmq+pull:// or zmq+sub://")
      }
      self = .stream(address)
    } catch { throw ScanFailure(error) }
  }

  /// Whether images come when they come, and not when they are asked for.
  var isLive: Bool {
    switch self {
    case .file: false
    case .stream, .variable, .folder, .spool, .fabric: true
    }
  }

  /// Whether images can be left where they are until somebody takes them.
  var waits: Bool {
    switch self {
    case .file, .folder, .spool, .fabric: true
    case .stream, .variable: false
    }
  }

  /// Whether the library for EPICS is needed.
  var isVariable: Bool { if case .variable = self { true } else { false } }

  /// The same with an absolute path.
  var absolute: String {
    switch self {
    case .file(let path): absolutePath(path)
    case .stream(let address): address.description
    case .variable(let address): address.description
    case .folder(let path): Self.folderPrefix + absolutePath(path)
    case .spool(let path): Self.spoolPrefix + absolutePath(path)
    case .fabric(let input): input.description
    }
  }

  /// What an output is named after.
  var name: String {
    switch self {
    case .file(let path) where ImageFiles.isMeant(by: path): ImageFiles.name(of: absolutePath(path))
    case .file(let path), .folder(let path):
      URL(fileURLWithPath: absolutePath(path)).deletingPathExtension().lastPathComponent
    case .stream, .variable, .spool, .fabric: "stream"
    }
  }
}

/// Rows and columns of a detector, as in `2048,2448`.
package struct DetectorShape: Equatable, Sendable {
  /// Rows.
  package let rows: Int
  /// Columns.
  package let columns: Int

  private static let edges = 1...65_536

  /// Reads `rows,columns`.
  package init?(_ text: String) {
    let edges = text.split(separator: ",", omittingEmptySubsequences: false).map { Int(digits: $0) }
    guard edges.count == 2, let rows = edges[0], let columns = edges[1], Self.edges.contains(rows),
      Self.edges.contains(columns)
    else {
      return nil
    }
    (self.rows, self.columns) = (rows, columns)
  }

  /// A shape that a detector said; a precondition: its edges are within the limits of one that a person says.
  package init(_ rows: Int, _ columns: Int) {
    precondition(Self.edges.contains(rows) && Self.edges.contains(columns), "\(rows) × \(columns) pixels")
    (self.rows, self.columns) = (rows, columns)
  }

  /// As it is written on the command line.
  package var text: String { "\(rows),\(columns)" }
}

extension DetectorShape: ScanValue {
  /// For people.
  package static var form: String { "rows and columns, as in 2048,2448" }
  /// `rows,columns`
  package init?(scanText: String) { self.init(scanText) }
  /// As it is written on the command line.
  package var scanText: String { text }
}

/// The number of a source's first frame, as `--first-frame` says it.
package enum FirstFrame: Equatable, Sendable {
  /// That of the first one that comes.
  case automatic
  /// This one.
  case number(UInt64)

  private static let limit: UInt64 = 1 << 32
}

extension FirstFrame: ScanValue {
  /// For people.
  package static var form: String { "auto or a whole number from 0 to \(limit)" }
  /// `auto` or a number.
  package init?(scanText: String) {
    if scanText == "auto" {
      self = .automatic
    } else if let number = UInt64(written: scanText), number <= Self.limit {
      self = .number(number)
    } else {
      return nil
    }
  }
  /// As it is written on the command line.
  package var scanText: String { if case .number(let number) = self { "\(number)" } else { "auto" } }
}

extension PixelType: ScanValue {}
extension GapPolicy: ScanValue {
  /// For people.
  package static var form: String { "skip, interpolate or program:PATH" }

  /// `skip`, `interpolate`, or `program` and behind a colon its path.
  package init?(scanText: String) {
    switch scanText {
    case "skip": self = .skip
    case "interpolate": self = .interpolate
    default:
      guard scanText.hasPrefix(Self.programWord), scanText != Self.programWord else { return nil }
      self = .program(String(scanText.dropFirst(Self.programWord.count)))
    }
  }

  private static let programWord = "program:"

  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .skip: "skip"
    case .interpolate: "interpolate"
    case .program(let path): Self.programWord + path
    }
  }

  /// The program; nil where there is none.
  var program: String? { if case .program(let path) = self { path } else { nil } }
}

extension ScanKey {
  /// What a live source will deliver; a scan file says it itself.
  static let source = [
    ScanKey(
      .source, "shape", \.detectorShape, "Rows and columns of the detector.",
      unset: "none, and a live source needs it"),
    ScanKey(.source, "pixel", \.pixel, "Pixels of the detector.", unset: "uint16"),
    ScanKey(
      .source, "projections", \.projections, "Projections of the scan.", unset: "none, and a live source needs it",
      .within(1...countMax)),
    ScanKey(
      .source, "flats", \.flatFieldSource,
      "Flat fields that the source sends: frames with image_key 1, or those behind the darks. Of a scan file, where "
        + "they are: TIFF files, a scan file, or FILE::/path/in/file.",
      unset: "0, or the scan file's own", .fields),
    ScanKey(
      .source, "darks", \.darkFieldSource,
      "Dark fields that the source sends: frames with image_key 2, or the first ones. Of a scan file, where they are.",
      unset: "0, or the scan file's own", .fields),
    ScanKey(
      .source, "fields", \.fields, "Take flat and dark fields from this scan file.",
      unset: "they come with the projections"),
    ScanKey(
      .source, "theta-start", \.thetaStart,
      "Degrees of the first projection, where frames, or the scan file, have no theta.", unset: "0",
      .within(-1e6...1e6)),
    ScanKey(
      .source, "theta-step", \.thetaStep, "Degrees from one projection to the next.", unset: "180 over projections",
      .within(-1e6...1e6)),
    ScanKey(
      .source, "first-frame", \.firstFrame,
      "The number of the source's first frame; auto takes that of the first one that comes.", unset: "auto"),
    ScanKey(
      .source, "channel", \.channel, "The channel of a detector with several, as in threshold_1.",
      unset: "its only one", .needed("the name of a channel")),
    ScanKey(
      .source, "on-gap", \.onGap,
      "What becomes of projections that the source has lost: without them, by the mean of their neighbours, or by a "
        + "program.", unset: "skip"),
    ScanKey(
      .source, "gap-wait", \.gapWait, "Seconds that the program of --on-gap has for a gap.", unset: "0.5",
      .within(0.01...60, "seconds")),
    ScanKey(
      .source, "source-timeout", \.sourceTimeout,
      "End the scan where no frame of it came for so many seconds, whatever else came.", unset: "never",
      .within(0.1...1e6, "seconds")),
    ScanKey(
      .source, "stop-hook", \.stopHook,
      """
      Tell the detector here to stop when the scan is ended early: http://host/path, http+put://host/path, \
      zmq+req://host:port, pva://NAME=0.
      """,
      unset: "it is not told"),
  ]
}

extension ScanDescription {
  /// What is known of a live source before its first image must be said, and of a scan file nothing of it.
  static let sourceRules: [@Sendable (ScanDescription) -> String?] = [
    { $0.addressProblem }, { $0.fileProblem }, { $0.liveProblem }, { $0.axisProblem }, { $0.fieldsProblem },
    { $0.hookProblem }, { $0.gapProblem }, { $0.beamProblem }, { $0.flatFieldsProblem }, { $0.selectionProblem },
    { $0.senderProblem },
  ]

  /// Whether images come when they come; false where the address is none.
  package var isLive: Bool { (try? ScanSource(input))?.isLive ?? false }

  private var addressProblem: String? {
    do throws(ScanFailure) {
      _ = try ScanSource(input)
      return nil
    } catch { return FabricInput.isMeant(by: input) ? "--input: \(error)" : "--input \(input): \(error)" }
  }

  private var fileProblem: String? {
    guard let source = try? ScanSource(input), !source.isLive,
      let key = ScanKey.source.first(where: { $0.text(self) != nil && !ScanKey.ofFiles.contains($0.name) })
    else {
      return nil
    }
    return "--\(key.name) describes a live source, and a scan file says it itself: \(input)"
  }

  /// Whether an HDF5 file is watched.
  var watchesFile: Bool {
    if case .folder(let path)? = try? ScanSource(input) { ScanSource.isWatchedFile(path) } else { false }
  }

  private var liveProblem: String? {
    // A file that is watched may say it itself, which its planner finds out.
    // The plan of the edge says it for a node.
    guard isLive, !watchesFile, fabricInput == nil, detectorShape == nil || projections == nil else { return nil }
    let missing = detectorShape == nil ? "--shape ROWS,COLUMNS" : "--projections N"
    return "\(missing) is needed for \(input): memory and disk for the scan are made before its first image comes"
  }

  private var axisProblem: String? {
    guard isLive else { return nil }
    if axisTilt == .automatic {
      return "--axis-tilt auto finds the tilt in scan files only; \(input) needs degrees, or 0"
    }
    guard rotationAxis == .automatic, fieldOfView == .half else { return nil }
    return
      "--field-of-view half needs --rotation-axis PIXELS for \(input): how wide its slices are follows from the axis, "
      + "and memory is made before its first image comes"
  }

  private var fieldsProblem: String? {
    guard fields != nil, (flats ?? 0) + (darks ?? 0) > 0 || flatFiles != nil || darkFiles != nil else { return nil }
    return "--fields and --flats or --darks exclude each other: flats and darks come from the file or from the stream"
  }

  private var beamProblem: String? {
    guard let i0, isLive else { return nil }
    if fields == nil, i0 == .border {
      return "--i0 border looks at the projections of a file; \(input) needs a number of counts"
    }
    return (flats ?? 0) > 0 ? "--i0 and --flats exclude each other: flat fields say what the beam is" : nil
  }

  private var gapProblem: String? {
    guard let gapWait, onGap?.program == nil else { return nil }
    return "--gap-wait \(gapWait.scanText) goes with --on-gap program:PATH: nothing else is waited for at a gap"
  }

  private var hookProblem: String? {
    do throws(StreamError) {
      _ = try hook
      return nil
    } catch { return "--stop-hook \(error)" }
  }

  /// About senders that tell channels apart, count their frames, or say angles.
  private var senderProblem: String? {
    guard let source = try? ScanSource(input) else { return nil }
    switch source {
    case .file(let path) where thetaUnit != .auto && ImageFiles.isMeant(by: path):
      return "--theta-unit \(thetaUnit.rawValue) is the unit of angles in a file, and TIFF files have none; "
        + "--theta-start and --theta-step are degrees"
    case .file where thetaUnit == .radians && (thetaStart ?? thetaStep) != nil:
      return "--theta-unit radians is the unit of angles in a file, and --theta-start and --theta-step, which are for "
        + "files without, are degrees: leave one of them out"
    case .file, .stream, .spool, .fabric: return nil
    case .variable, .folder:
      if let channel {
        return "--channel \(channel) is of a DECTRIS stream with several, and \(input) has one image a frame"
      }
      guard case .folder(let path) = source else { return nil }
      guard ScanSource.isWatchedFile(path) else {
        return thetaUnit == .auto
          ? nil : "--theta-unit \(thetaUnit.rawValue) is the unit of angles in frames, and TIFF files have none"
      }
      return firstNumber.map { "--first-frame \($0): frames of a file are counted from its first one" }
    }
  }

  /// The number of a live source's first frame; nil where the first one that comes says it.
  var firstNumber: UInt64? { if case .number(let number) = firstFrame { number } else { nil } }

  /// Where the detector is told to stop.
  var hook: StopHook? { get throws(StreamError) { if let stopHook { try StopHook(stopHook) } else { nil } } }

  /// Radians of each projection of a live source as it comes, for frames that do not say theirs: evenly spaced, over
  /// half a turn unless a step is given, and visited in the order that was said; those of the subset that is used.
  package var liveThetas: [Double] {
    let count = projections ?? 0
    let (start, step) = (thetaStart ?? 0, thetaStep ?? 180 / Double(max(1, count)))
    let thetas = (0..<count).map { (start + Double($0) * step) * .pi / 180 }
    let coming = order.visits(thetas: thetas).map { thetas[$0] }
    return subset.map { Array(coming[$0.numbers]) } ?? coming
  }
}
