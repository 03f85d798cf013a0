import Host
import Rings
import RunModel
import Topics

/// What ends the acquisition before its source does: a signal, or the command of `control`.
struct StopOrders {
  private let commands: TopicReader
  private let signalReceived: () -> Bool
  private let willStop: (String) throws -> Void

  /// `commands` is read from its first event and never given back: a successor finds the command again. `willStop`
  /// hears why the acquisition ends, in words, before it does: from a successor again, where its predecessor died
  /// before the end was written.
  init(
    commands: TopicReader, signalReceived: @escaping () -> Bool, willStop: @escaping (String) throws -> Void = { _ in }
  ) {
    self.commands = commands
    self.signalReceived = signalReceived
    self.willStop = willStop
  }

  /// Why the scan is to end; nil while it is not. Never waits for an order. To be kept once it is not nil: it is told
  /// once.
  func reason() throws -> EndEvent.Reason? {
    guard let (reason, words) = try order() else { return nil }
    try willStop(words)
    FaultPoint.stopTold.reach()
    return reason
  }

  private func order() throws -> (EndEvent.Reason, words: String)? {
    if signalReceived() { return (.signal, EndEvent.Reason.signal.word) }
    guard let event = try commands.next(timeout: .zero) else { return nil }
    return (.finalized, try CommandEvent(decoding: event.metadata).reason)
  }
}
