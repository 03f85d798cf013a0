import Glibc
import Host

/// The process that takes what one source sends.
struct IntakeProcess {
  var child: ChildProcess?
  /// When it was started, and may be started again.
  var (started, next) = (ContinuousClock.now, ContinuousClock.now)
  /// How often it ended within a short time.
  var failures = 0
}

extension Server {
  private static let (pauseMin, pauseMax, goodAfter) = (
    Duration.milliseconds(100), Duration.seconds(10), Duration.seconds(30)
  )

  /// Starts the intake of a source where it does not run. One that ends again and again is given more and more time:
  /// the detector's frames wait, where they can, and somebody has to look why.
  func keepIntake(_ source: ServeFile.Source) throws {
    guard case .detector = source.address else { return }
    var intake = intakes[source.name] ?? IntakeProcess()
    defer { intakes[source.name] = intake }
    if let child = intake.child, let status = try child.reap() {
      intake.child = nil
      intake.failures = .now - intake.started > Self.goodAfter ? 1 : intake.failures + 1
      intake.next = .now + min(Self.pauseMin * (1 << min(intake.failures - 1, 10)), Self.pauseMax)
      notice("the intake of \(source.name) \(status.words); it is started again")
    }
    guard intake.child == nil, .now >= intake.next else { return }
    intake.started = .now
    intake.child = try ChildProcess(
      executable: executable,
      arguments: ["serve-intake", file.path, source.name, "--parent", "\(getpid())", "--program", OwnProgram.build],
      blockedSignals: [SIGINT, SIGTERM])
  }
}
