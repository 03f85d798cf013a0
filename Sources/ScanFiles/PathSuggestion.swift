import Host

extension HDF5File {
  /// What of a file of no known layout a person could name, as the end of a sentence: frames, and beside them what is
  /// called image keys or angles and has as many values.
  func suggestion() throws(FileError) -> String {
    let found = try lookAround()
    var words: String
    switch found.stacks.count {
    case 0: words = ", and no other frames"
    case 1: words = "; give --data-path \(found.stacks[0].path)"
    default:
      words =
        "; --data-path names the frames, perhaps \(found.stacks.map(\.path).joined(separator: " or "))"
    }
    for (option, names) in [("--image-key-path", Self.keyNames), ("--theta-path", Self.angleNames)] {
      let fitting = found.lists.first { list in
        // The value of a motor lies in a group with its name.
        let name = list.path.split(separator: "/").suffix(2).joined(separator: "/").lowercased()
        return names.contains { name.contains($0) } && found.stacks.contains { $0.count == list.count }
      }
      if let fitting { words += " \(option) \(fitting.path)" }
    }
    if !found.stacks.isEmpty, isOfBliss(try links(in: "/")) {
      words += "; nxtomomill h52nx makes an NXtomo file of one that Bliss wrote"
    }
    return words
  }

  /// Stacks of frames that a person could name, the longest first; at most three.
  func stacks() throws(FileError) -> [String] { try lookAround().stacks.map(\.path) }

  private static let keyNames = ["image_key"]
  private static let angleNames = ["theta", "angle", "rot"]
  private static let (groupsMax, stacksMax, listsMax) = (1000, 3, 256)

  /// Whether scans are numbered as Bliss does, 1.1, 2.1 and so on.
  private func isOfBliss(_ links: [String]) -> Bool {
    !links.isEmpty && links.allSatisfy { $0.wholeMatch(of: /[0-9]+\.[0-9]+/) != nil }
  }

  private typealias Counted = (path: String, count: Int)

  /// Datasets of rank 3 and of rank 1, each with the length of its first axis.
  private func lookAround() throws(FileError) -> (stacks: [Counted], lists: [Counted]) {
    var (stacks, lists): ([Counted], [Counted]) = ([], [])
    var groups = ["/"], visited = 0
    while let group = groups.popLast(), visited < Self.groupsMax {
      visited += 1
      for link in try links(in: group) {
        let name = group == "/" ? "/\(link)" : "\(group)/\(link)"
        do throws(FileError) {
          switch try kind(of: name) {
          case .group where name.split(separator: "/").count < 8: groups.append(name)
          case .dataset:
            let shape = try HDF5Storage(file: self, name: name, dataset: openObject(name)).shape()
            if shape.count == 3, stacks.count < Self.listsMax { stacks.append((name, shape[0])) }
            if shape.count == 1, lists.count < Self.listsMax { lists.append((name, shape[0])) }
          default: continue
          }
        } catch { continue }
      }
    }
    // Flats and darks are fewer than projections.
    return (Array(stacks.sorted { ($1.count, $0.path) < ($0.count, $1.path) }.prefix(Self.stacksMax)), lists)
  }
}
