import Rings
public import Topics

/// What ends the acquisition before its source does: a signal, or the command of `control`.
public struct StopOrders {
  private let commands: TopicReader
  private let signalReceived: () -> Bool

  /// `commands` is read from its first event and never given back: a successor finds the command again.
  public init(commands: TopicReader, signalReceived: @escaping () -> Bool) {
    self.commands = commands
    self.signalReceived = signalReceived
  }

  /// Why the scan is to end; nil while it is not. Never waits. To be kept once it is not nil: it is told once.
  public func reason() throws -> EndEvent.Reason? {
    if signalReceived() { return .signal }
    guard let event = try commands.next(timeout: .zero) else { return nil }
    _ = try CommandEvent(decoding: event.metadata)
    return .finalized
  }
}
