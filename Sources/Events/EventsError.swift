package import Host

/// Why events cannot be sent as was asked for.
package enum EventsError: SysExitError, Equatable, Sendable {
  /// The address of a sink is none.
  case address(String, String)
  /// The file of settings cannot be read.
  case unreadable(path: String, reason: String)
  /// Others may read secrets in a file.
  case open(path: String)
  /// A line of the file of settings is wrong.
  case setting(path: String, line: Int, reason: String)
  /// librdkafka is not there, or does not load.
  case withoutKafka(reason: String)
  /// A sink cannot be made.
  case refused(sink: String, reason: String)

  /// What happened, where, and what to do.
  package var description: String {
    switch self {
    case .address(let text, let reason): "\(Self.withoutSecret(text)) is no address for events: \(reason)"
    case .unreadable(let path, let reason): "the settings of events in \(path) cannot be read: \(reason)"
    case .open(let path): "others may read \(path), which holds secrets: chmod 600 \(path)"
    case .setting(let path, let line, let reason): "\(path):\(line): \(reason)"
    case .withoutKafka(let reason): "events cannot go to Kafka: \(reason); \(KafkaLibrary.remedy)"
    case .refused(let sink, let reason): "events cannot go to \(sink): \(reason)"
    }
  }

  /// An address without the user and the password that somebody may have written into it.
  private static func withoutSecret(_ text: String) -> String {
    guard let at = text.lastIndex(of: "@") else { return text }
    let scheme = ["kafka://", "diaspora+https://", "diaspora+http://"].first { text.hasPrefix($0) } ?? ""
    return "\(scheme)…\(text[at...])"
  }

  /// The sysexits code.
  package var sysExit: SysExit {
    switch self {
    case .address: .usage
    case .unreadable: .noInput
    case .open: .noPermission
    case .setting: .configuration
    case .withoutKafka, .refused: .unavailable
    }
  }
}

/// Text of others in one line for people: what is no plain character is a question mark, and there is not too much.
func plainText(_ text: some StringProtocol) -> String {
  String(text.unicodeScalars.prefix(300).map { 0x20...0x7E ~= $0.value ? Character($0) : "?" })
}
