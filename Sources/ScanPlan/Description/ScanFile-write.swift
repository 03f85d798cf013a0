import Glibc
import Host

extension ScanFile {
  /// What is in effect, as a scan file, with the command line that made it above. An axis that was found, or that of
  /// another run, stands there in pixels of the detector, so that the file makes the same volume again.
  package static func effective(_ scan: ScanDescription, command: [String], axisFound: Double? = nil) -> String {
    var (scan, comment) = (scan, "")
    if let axisFound {
      switch scan.rotationAxis {
      case .pixels: break
      case .automatic: comment = "  # found by auto"
      case .lastRun, .run: comment = "  # that of another run"
      }
      if !comment.isEmpty { scan.rotationAxis = .pixels(axisFound) }
    }
    let entries = ScanKey.all.compactMap { key in
      key.text(scan).map { "\(key.name): \(word($0))\(key.name == "rotation-axis" ? comment : "")\n" }
    }
    return "# \(shellQuoted(command))\n" + entries.joined()
  }

  /// The same for everybody to read: without what may be secret.
  package static func published(_ scan: ScanDescription, command: [String], axisFound: Double? = nil) -> String {
    let text = effective(scan.withoutSecrets, command: scan.withoutSecrets(command), axisFound: axisFound)
    return text + (scan.omission.map { "# \($0)\n" } ?? "")
  }

  /// A scan file with every key, what it means, and its value in `scan`; a key without a value stands behind a `#`.
  package static func template(_ scan: ScanDescription) -> String {
    let sections = ScanKey.Group.allCases.map { group in
      "\n#\n# \(group.rawValue)\n#\n" + ScanKey.all.filter { $0.group == group }.map { entry($0, scan) }.joined()
    }
    return """
      # What slipring is to reconstruct, and how. A key behind a # is not set; take the # away to set it.
      # slipring check looks for mistakes in this file and whether this machine has room; slipring run runs it.

      """ + sections.joined()
  }

  /// The group of the user that the service runs as, who has to read what root writes for it.
  package static let serviceGroup = "slipring"

  /// Writes a template to a new file for this user alone; root's also for `group` to read, where there is one. Throws
  /// where there is a file already: it is left as it is.
  package static func create(
    _ path: String, _ scan: ScanDescription, group: String = serviceGroup
  ) throws(ScanFailure) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw errno == EEXIST
        ? ScanFailure(.cannotCreate, "\(path) is there already and is left as it is; name another file, or remove it")
        : ScanFailure(.cannotCreate, "cannot create \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    if geteuid() == 0, let group = getgrnam(group) {
      // Where the folder's file system knows no groups the file stays root's, and who may not read it says so.
      if fchown(descriptor, uid_t.max, group.pointee.gr_gid) == 0 { fchmod(descriptor, 0o640) }
    }
    let bytes = Array(template(scan).utf8)
    var count = 0
    while count < bytes.count {
      let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + count, $0.count - count) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else {
        let reason = String(cString: strerror(errno))
        // A file that is cut off would be taken for what a person wants.
        unlink(path)
        throw ScanFailure(.inputOutput, "cannot write \(path): \(reason)")
      }
      count += written
    }
  }

  private static func entry(_ key: ScanKey, _ scan: ScanDescription) -> String {
    let comment = "\n# \(key.help)\n# Takes \(key.form)." + (key.unset.map { " Left out: \($0)." } ?? "") + "\n"
    guard let text = key.text(scan) else { return comment + "# \(key.name):\n" }
    return comment + "\(key.name): \(word(text))\n"
  }

  /// A word as YAML: plain where that is clear, otherwise in quotes.
  private static func word(_ text: String) -> String {
    if text.wholeMatch(of: /[A-Za-z0-9_.\/+-]([A-Za-z0-9_.,\/+:-]*[A-Za-z0-9_.\/+-])?/) != nil, text != "null",
      text != "-", text != "---"
    {
      return text
    }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x22, 0x5C: quoted += "\\\(scalar)"
      // Control characters, line ends, and what YAML does not take for printable.
      case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

/// A command line as a shell reads it, in one line.
package func shellQuoted(_ words: [String]) -> String {
  words.map { word in
    if word.wholeMatch(of: /[A-Za-z0-9_.,\/+:=@%-]+/) != nil { return word }
    guard word.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else {
      return "'" + word.replacing("'", with: "'\\''") + "'"
    }
    // As bash, zsh and ksh read it: line ends and control characters by number.
    return word.unicodeScalars.reduce(into: "$'") { quoted, scalar in
      switch scalar.value {
      case 0x27, 0x5C: quoted += "\\\(scalar)"
      case 0..<32, 127: quoted += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: quoted.unicodeScalars.append(scalar)
      }
    } + "'"
  }.joined(separator: " ")
}
