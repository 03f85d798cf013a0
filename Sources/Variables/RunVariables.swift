package import Detectors
import Glibc
import KernelTypes
package import Run
import RunModel
package import ScanPlan
import Synchronization

/// Shows a run to EPICS: process variables for where it is, how much is lost and what the volume looks like, and one by
/// which it may be ended. See the target's page for their names.
///
/// All of it happens on the supervisor's thread. A variable is posted when it changes; the picture at most once a
/// second, and so seldom that it takes no more than a fiftieth of the time.
package final class RunVariables: RunMonitor, Sendable {
  private let content: Mutex<Content>

  /// What a picture may take of the time.
  private static let (pictureShare, picturePeriod) = (0.02, Duration.seconds(1))
  /// Whoever reads the variables has so long for the last values.
  private static let grace: Duration = .seconds(2)
  /// The most pixels along a side of a picture.
  private static let edgeMax = 2048

  /// What is said of a run, in the order of a scan.
  private enum State: Int, CaseIterable {
    case waiting, scanning, catchingUp, finalIterations, writing, finished, failed

    var words: String {
      switch self {
      case .catchingUp: "catching up"
      case .finalIterations: "final iterations"
      case .waiting, .scanning, .writing, .finished, .failed: "\(self)"
      }
    }

    init(_ status: RunStatus) {
      switch status.phase {
      case .scanning where status.acquired == 0: self = .waiting
      case .scanning: self = status.acquired < status.projections ? .scanning : .catchingUp
      case .finalIterations: self = .finalIterations
      case .exporting: self = .writing
      case .finished: self = .finished
      case .failed: self = .failed
      }
    }
  }

  private enum Name: String, CaseIterable {
    case state = "State"
    case run = "Run"
    case acquired = "Acquired"
    case projections = "Projections"
    case reconstructed = "Reconstructed"
    case finalIterations = "FinalIterations"
    case lost = "Lost"
    case axis = "Axis"
    case residual = "Residual"
    case message = "Message"
    case image = "Image"
    case stop = "Stop"

    func kind(isCommand: Bool) -> PVAccessServer.VariableKind {
      switch self {
      case .state: .choice(State.allCases.map(\.words))
      case .run, .message: .line
      case .acquired, .projections, .reconstructed, .lost: .count
      case .finalIterations, .axis, .residual: .number
      case .image: .picture
      case .stop: isCommand ? .command : .count
      }
    }
  }

  /// Everything that the supervisor's thread touches.
  private struct Content {
    var board: VariableBoard
    var view: RunView?
    var imaged: (generations: [UInt64], due: ContinuousClock.Instant) = ([], .now)
  }

  /// Serves the variables `prefix:State` and so on. With `allowsStop`, whoever sets `prefix:Stop` to another number
  /// than 0 finalizes the run.
  /// - Throws: `.unavailable` where the library for EPICS is missing, or cannot serve, or where another run may be
  ///   ended by the same variable.
  package init(
    prefix: VariablePrefix, allowsStop: Bool, notice: @escaping @Sendable (String) -> Void
  ) throws(ScanFailure) {
    do throws(StreamError) {
      let variables = Name.allCases.map { ($0.rawValue, $0.kind(isCommand: allowsStop)) }
      content = Mutex(Content(board: try VariableBoard(prefix: prefix, variables, notice: notice)))
    } catch { throw ScanFailure(error) }
  }

  /// The run's memory is there.
  package func began(_ view: RunView) { content.withLock { $0.view = view } }

  /// How far the run is.
  package func progress(_ status: RunStatus) {
    content.withLock { content in
      Self.post(status, &content)
      if let view = content.view { Self.postImage(of: view, isLast: false, &content) }
      Self.takeCommands(&content)
    }
  }

  /// Something that a person should know.
  package func notice(_ text: String) { content.withLock { Self.post(.message, text, &$0) } }

  /// The run has a result: the last picture, and that it is over. Waits until it may have been read.
  package func finish(_ result: RunResult) {
    content.withLock { content in
      if let view = content.view { Self.postImage(of: view, isLast: true, &content) }
      Self.post(.axis, result.rotationAxis, &content)
      Self.post(.lost, result.lost, &content)
      Self.post(.message, result.outputs.last ?? "", &content)
      let state = result.missingRows.isEmpty ? State.finished : .failed
      Self.post(.state, state.rawValue, &content)
    }
    usleep(UInt32(Self.grace / .microseconds(1)))
  }

  /// The run has failed. Waits as well, unless somebody waits for the end.
  package func fail(_ reason: String, isAwaited: Bool) {
    content.withLock { content in
      Self.post(.message, reason, &content)
      Self.post(.state, State.failed.rawValue, &content)
    }
    if !isAwaited { usleep(UInt32(Self.grace / .microseconds(1))) }
  }

  private static func post(_ status: RunStatus, _ content: inout Content) {
    post(.run, status.run, &content)
    post(.acquired, status.acquired, &content)
    post(.projections, status.projections, &content)
    post(.reconstructed, status.reconstructed, &content)
    post(.finalIterations, status.sweptFraction, &content)
    post(.lost, status.losses?.lost ?? 0, &content)
    if let axis = status.rotationAxis { post(.axis, axis, &content) }
    if let residual = status.residual { post(.residual, residual, &content) }
    post(.state, State(status).rawValue, &content)
  }

  private static func post(_ name: Name, _ value: Int, _ content: inout Content) {
    content.board.post(name.rawValue, value)
  }

  private static func post(_ name: Name, _ value: Double, _ content: inout Content) {
    content.board.post(name.rawValue, value)
  }

  private static func post(_ name: Name, _ line: String, _ content: inout Content) {
    content.board.post(name.rawValue, line)
  }

  /// The middle slice, where it is another than the last one; the last of all in any case.
  private static func postImage(of view: RunView, isLast: Bool, _ content: inout Content) {
    let (start, generations) = (ContinuousClock.now, view.generations)
    guard isLast || start >= content.imaged.due, generations != content.imaged.generations,
      let cut = view.cut(.z, at: view.slices / 2, edgeMax: edgeMax)
    else { return }
    let number = cut.generations.max() ?? 0
    content.board.post(Name.image.rawValue, "\(generations)") { (server, full) throws(StreamError) in
      try server.post(cut.values, rows: cut.rows, number: number, to: full)
    }
    let spent = ContinuousClock.now - start
    content.imaged = (generations, start + max(picturePeriod, spent * (1 / pictureShare)))
  }

  private static func takeCommands(_ content: inout Content) {
    while let command = content.board.server.command() {
      guard command.name == content.board.whole(Name.stop.rawValue), command.value != 0, let view = content.view
      else { continue }
      do {
        try RunRequests(runFolder: view.folder).finalize(by: "\(command.name) from \(command.peer)")
      } catch {
        post(.message, ScanFailure(error).description, &content)
      }
    }
  }
}
