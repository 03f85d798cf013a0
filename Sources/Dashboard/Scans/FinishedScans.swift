import Glibc
import Host
import Run
import ScanPlan
import Serve
import Viewing

/// What somebody looks into of scans that are over: their volumes, and the projections that their runs still have.
/// Lives on the server's thread.
///
/// A volume that is open keeps planes in memory, and its file's room on disk though somebody removes it: a few are open
/// at the same time, each as long as its file stays as it is and somebody asks.
final class FinishedScans {
  /// What is looked into.
  enum Part {
    case volume
    case denoised
    case images
  }

  private final class Opened {
    let (scan, ended, part): (Int, Double?, Part)
    let respond: (Request, Substring) -> Response
    let isCurrent: () -> Bool
    var asked: ContinuousClock.Instant

    init(
      _ record: ScanRecord, _ part: Part, respond: @escaping (Request, Substring) -> Response,
      isCurrent: @escaping () -> Bool
    ) {
      (scan, ended, self.part) = (record.number, record.ended, part)
      (self.respond, self.isCurrent, asked) = (respond, isCurrent, .now)
    }
  }

  private let catalogue: Catalogue
  private let budget = RenderBudget(cores: 1, now: .now)
  /// The one that was asked for last at the end.
  private var opened: [Opened] = []

  /// Of each part, at the same time.
  private static let openedMax = 3
  /// What the address of a denoised volume begins with, behind that of its scan's volume.
  private static let denoised = "denoised"
  /// One that nobody has asked for is let go.
  private static let idleMax: Duration = .seconds(300)

  /// Those of a server's folder.
  init(_ catalogue: Catalogue) { self.catalogue = catalogue }

  /// Lets go of what nobody has asked for in a while.
  func letGo(_ now: ContinuousClock.Instant) { opened.removeAll { now - $0.asked > Self.idleMax } }

  /// The answer to a request for `path`, behind the address of a part of a finished scan.
  func respond(to request: Request, _ path: Substring, _ part: Part, of record: ScanRecord) -> Response {
    let part = part == .volume && path.hasPrefix(Self.denoised + "/") ? .denoised : part
    let index = opened.firstIndex {
      $0.scan == record.number && $0.ended == record.ended && $0.part == part
    }
    if let index {
      let known = opened.remove(at: index)
      if known.isCurrent() {
        known.asked = .now
        opened.append(known)
        return known.respond(request, path)
      }
    }
    let new: Opened
    do {
      let (made, missing) =
        switch part {
        case .volume: (try volume(record), "volume in HDF5 or Zarr that could be looked into")
        case .denoised: (try denoised(record), "denoised volume in HDF5 or Zarr")
        case .images: (try images(record), "projections any more")
        }
      guard let made else { return .init(status: 404, "scan \(record.number) has no \(missing)") }
      new = made
    } catch {
      // What is not there any more, and what is there and cannot be read.
      let failure = ScanFailure(error)
      return .init(status: failure.sysExit == .noInput ? 404 : 500, failure.description)
    }
    let others = opened.filter { $0.part == part }
    if others.count >= Self.openedMax, let oldest = others.first { opened.removeAll { $0 === oldest } }
    opened.append(new)
    return new.respond(request, path)
  }

  private func outputs(_ record: ScanRecord) throws -> [String] {
    record.state == .finished ? try catalogue.result(record.number)?.outputs ?? [] : []
  }

  private func volume(_ record: ScanRecord) throws -> Opened? {
    let outputs = try outputs(record)
    guard let file = VolumeOutputs.path(of: "rec", in: outputs) else { return nil }
    let other = VolumeOutputs.path(of: "denoised", in: outputs)
    let others = other.map { access($0, F_OK) == 0 ? [Self.denoised] : [] } ?? []
    let volume = try StoredVolume(path: file), viewer = VolumeViewer([volume], others: others, budget)
    return Opened(record, .volume) {
      viewer.respond(to: $0, path: $1)
    } isCurrent: {
      StoredVolume.identity(ofFile: file) == volume.identity
    }
  }

  /// The same volume, denoised: opened by itself, so that one that is damaged takes nothing from the other.
  private func denoised(_ record: ScanRecord) throws -> Opened? {
    guard let file = VolumeOutputs.path(of: "denoised", in: try outputs(record)) else { return nil }
    let volume = try StoredVolume(path: file), desk = VolumeDesk(volume, budget, others: [Self.denoised])
    return Opened(record, .denoised) {
      desk.respond(to: $0, path: $1.dropFirst(Self.denoised.utf8.count + 1), isOver: true, freshFor: .zero)
    } isCurrent: {
      StoredVolume.identity(ofFile: file) == volume.identity
    }
  }

  private func images(_ record: ScanRecord) throws -> Opened? {
    guard record.ended != nil, let run = catalogue.runFolder(record.number) else { return nil }
    let folder = RunFolder(path: run)
    guard folder.hasImages else { return nil }
    let desk = ImageDesk(try RunImages(folder: folder), budget)
    return Opened(record, .images) {
      desk.respond(to: $0, path: $1, isOver: true, freshFor: .zero)
    } isCurrent: {
      folder.hasImages
    }
  }
}

/// Which of a run's outputs can be looked into.
enum VolumeOutputs {
  /// HDF5 is read faster.
  private static let endings = ["h5", "zarr"]

  /// The file or folder of the volume whose name ends so; nil where there is none.
  static func path(of volume: String, in outputs: [String]) -> String? {
    endings.lazy.compactMap { ending in outputs.first { $0.hasSuffix("_\(volume).\(ending)") } }.first
  }
}
