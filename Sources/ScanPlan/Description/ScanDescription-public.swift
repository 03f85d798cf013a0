// What others may read of a description: files beside the output have the usual mode, and an address may hold a token.
extension ScanDescription {
  /// The same without an address that may hold a secret.
  var withoutSecrets: ScanDescription {
    guard secret != nil else { return self }
    var other = self
    other.stopHook = nil
    return other
  }

  /// A command line without the secret part of such an address.
  func withoutSecrets(_ command: [String]) -> [String] {
    guard let (text, shown) = secret else { return command }
    return command.map { $0.replacing(text, with: shown) }
  }

  /// An address with something behind its path, and what of it may be shown. Users and passwords are refused in it.
  private var secret: (text: String, shown: String)? {
    guard let stopHook, let end = stopHook.firstIndex(where: { $0 == "?" || $0 == "#" }) else { return nil }
    return (stopHook, "\(stopHook[...end])…")
  }

  /// A line for people where something was left out.
  var omission: String? {
    secret.map { "stop-hook is left out, for \($0.shown) may hold a secret; the scan.yaml in the run's folder has it" }
  }
}
