import Detectors
import Host

extension ScanDescription {
  /// A path that begins with a home folder. Shells replace that where it is not quoted; nothing else does, and a folder
  /// with the name "~" is nobody's wish.
  var homeProblem: String? {
    let source: String? =
      switch try? ScanSource(input) {
      case .file(let path), .folder(let path), .spool(let path): path
      case .stream, .variable, .fabric, nil: nil
      }
    let program: String? = if case .program(let path) = denoise { path } else { nil }
    let paths = [
      ("input", source), ("output-folder", outputFolder), ("run-folder", runFolder), ("mirror", mirror),
      ("fields", fields),
      ("flats", flatFiles), ("darks", darkFiles),
      ("events-config", eventsConfig), ("reference", reference), ("denoise", program),
      ("on-gap", onGap?.program),
      ("rotation-axis", rotationAxis.runFolder), ("fabric-credentials", fabricCredentials),
      ("fabric-authority", fabricAuthority),
    ]
    let shards = (parity?.folders ?? []).map { ("parity", $0 as String?) }
    let programs = (stage?.records ?? []).flatMap { [("stage", $0.work.program), ("stage", $0.work.model)] }
    for case (let key, let path?) in paths + shards + programs
    where path == "~" || path.hasPrefix("~") && path.contains("/") {
      return
        "--\(key) \(path): no shell has replaced the ~; write the whole path, or ./\(path) where that is the name"
    }
    return nil
  }

  /// Makes all paths independent of the present folder.
  package mutating func makePathsAbsolute() throws(ScanFailure) {
    input = try ScanSource(input).absolute
    makeFieldPathsAbsolute()
    makeAxisPathAbsolute()
    reference = reference.map(absolutePath)
    eventsConfig = eventsConfig.map(absolutePath)
    stage = stage?.absolute
    (fabricCredentials, fabricAuthority) = (fabricCredentials.map(absolutePath), fabricAuthority.map(absolutePath))
    outputFolder = absolutePath(outputFolder)
    (runFolder, mirror) = (runFolder.map(absolutePath), mirror.map(absolutePath))
    if let folders = parity?.folders { parity?.folders = folders.map(absolutePath) }
    if case .program(let path) = denoise { denoise = .program(absolutePath(path)) }
    if let path = onGap?.program { onGap = .program(absolutePath(path)) }
  }

  /// A description with these words of its keys, as `words` has them.
  /// - Throws: `.usage` for a key that there is not, or a word that it cannot have.
  package init(words: [String: String]) throws(ScanFailure) {
    self = .standard
    for (name, word) in words.sorted(by: { $0.key < $1.key }) { try set(name, to: word) }
  }
}
