import Host

/// A scan of an HDF5 file: the group that has it.
enum ScanEntry: Equatable {
  /// A group with `data` and what goes with it, `/exchange` as a rule.
  case dxchange(String)
  /// A group whose definition is NXtomo.
  case nxtomo(String)

  /// The group's absolute path.
  var path: String {
    switch self {
    case .dxchange(let path), .nxtomo(let path): path
    }
  }
}

extension HDF5File {
  /// The entry that is the scan, and a sentence about the others where there are some.
  ///
  /// The first of several is `/exchange`; else what NeXus calls the default (attribute `default` of the root, and
  /// whatever is in that group); else the first by its name.
  func entry(_ name: String?) throws(FileError) -> (entry: ScanEntry?, notice: String?) {
    let (entries, failure) = try entries()
    if let name {
      guard let entry = entries.first(where: { $0.path == name }) else {
        // A name that is not that of a scan is named with what there is.
        let known = entries.map { String($0.path.dropFirst()) }.joined(separator: ", ")
        throw bad(
          "it has no scan \(name.dropFirst()) (--entry); " + (known.isEmpty ? "it has none at all" : "it has \(known)"))
      }
      return (entry, nil)
    }
    guard let first = entries.first else {
      // A link that leads nowhere may have the scan behind it.
      if let failure { throw failure }
      return (nil, nil)
    }
    guard entries.count > 1 else { return (first, nil) }
    let others = entries.dropFirst().map { String($0.path.dropFirst()) }
    let shown = others.prefix(8).joined(separator: ", ") + (others.count > 8 ? ", …" : "")
    return (
      first,
      "it has \(entries.count) scans, and \(first.path.dropFirst()) is taken, "
        + "\(try isDefault(first.path) ? "its default" : "the first"); --entry takes another: \(shown)"
    )
  }

  /// Every scan of the file, in the order in which they are preferred, and the first link that leads nowhere.
  private func entries() throws(FileError) -> (entries: [ScanEntry], failure: FileError?) {
    var failure: FileError?
    var (exchanges, tomos): ([ScanEntry], [ScanEntry]) = ([], [])
    func look(at group: String) {
      do throws(FileError) {
        if try isNXtomo(group) {
          tomos.append(.nxtomo(group))
        } else if group.split(separator: "/").count == 1, group.hasPrefix("/exchange"), try hasDataset("\(group)/data")
        {
          exchanges.append(.dxchange(group))
        }
      } catch { failure = failure ?? error }
    }
    for name in try links(in: "/") {
      look(at: "/\(name)")
      do throws(FileError) {
        guard tomos.last?.path != "/\(name)", try kind(of: "/\(name)") == .group else { continue }
        for inner in try links(in: "/\(name)") { look(at: "/\(name)/\(inner)") }
      } catch { failure = failure ?? error }
    }
    let byDefault = try tomos.partitioned { entry throws(FileError) in try isDefault(entry.path) }
    return (exchanges + byDefault, failure)
  }

  private func isNXtomo(_ group: String) throws(FileError) -> Bool {
    if try hasDataset("\(group)/definition") { return try text(ofDataset: "\(group)/definition") == "NXtomo" }
    guard try kind(of: group) == .group else { return false }
    // Old files of this one path have no definition.
    if group == "/entry1/tomo_entry" { return true }
    return try text(ofAttribute: "definition", of: group) == "NXtomo"
  }

  /// Whether NeXus says that the group, or one above it, is what a reader is to look at first.
  private func isDefault(_ group: String) throws(FileError) -> Bool {
    guard let name = try text(ofAttribute: "default", of: "/") else { return false }
    let path = "/" + name.split(separator: "/").joined(separator: "/")
    return group == path || group.hasPrefix(path + "/")
  }

  /// The group of the detector of an NXtomo entry: `instrument/detector`, else the first group there that says it is
  /// an NXdetector and has frames; and a sentence about others.
  func detector(of entry: String) throws(FileError) -> (path: String, notice: String?) {
    let (instrument, usual) = ("\(entry)/instrument", "\(entry)/instrument/detector")
    guard try !hasDataset("\(usual)/data"), try kind(of: instrument) == .group else { return (usual, nil) }
    var found: [String] = []
    for name in try links(in: instrument) {
      let group = "\(instrument)/\(name)"
      guard try isOwnGroup(group), try text(ofAttribute: "NX_class", of: group) == "NXdetector",
        try hasDataset("\(group)/data"), try rank(of: "\(group)/data") == 3
      else { continue }
      found.append(group)
    }
    // One that says which of its frames are what is the camera; another is a monitor beside it.
    let keyed = try found.partitioned { group throws(FileError) in try hasDataset("\(group)/image_key") }
    guard let first = keyed.first else { return (usual, nil) }
    let others = keyed.dropFirst().joined(separator: ", ")
    return (
      first, others.isEmpty ? nil : "the frames of \(first) are taken; --data-path takes those of another: \(others)"
    )
  }

  /// False too for a link that leads nowhere: a detector beside the one that has the scan.
  private func isOwnGroup(_ path: String) throws(FileError) -> Bool {
    do throws(FileError) { return try kind(of: path) == .group } catch {
      guard case .badData = error else { throw error }
      return false
    }
  }
}

extension Array {
  /// Those that have a property first, each part in its order.
  fileprivate func partitioned(_ isFirst: (Element) throws(FileError) -> Bool) throws(FileError) -> [Element] {
    var (first, last): ([Element], [Element]) = ([], [])
    for element in self { if try isFirst(element) { first.append(element) } else { last.append(element) } }
    return first + last
  }
}
