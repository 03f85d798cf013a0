/// What a live source has to say, for people.
package enum SourceNotice: Equatable, Sendable {
  /// What is sent there will be taken from here on.
  case listening(to: String)
  /// The sender is gone; it is looked for.
  case disconnected
  /// A message was dropped, `count` for the same fault so far; what is known of it beyond the fault.
  case dropped(MessageFault, detail: String?, count: Int)

  /// The notice in words.
  package var words: String {
    switch self {
    case .listening(let peer): "listening to \(peer)"
    case .disconnected: "the sender is gone; looking for it"
    case .dropped(let fault, let detail, _): "dropped a message: \(fault.name)" + (detail.map { " (\($0))" } ?? "")
    }
  }
}
