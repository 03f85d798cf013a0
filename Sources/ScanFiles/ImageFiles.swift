import Glibc
package import Host

/// TIFF files that a path means: one file, those of a folder, or those that match a pattern as `scan/proj_*.tif`.
package enum ImageFiles {
  private static let filesMax = 1_000_000
  private static let wildcards: Set<Character> = ["*", "?", "["]

  /// Whether a path means TIFF files, and not an HDF5 file.
  package static func isMeant(by path: String) -> Bool {
    isFolder(path) || isTIFF(path) || isPattern(path)
  }

  /// Whether the path is a pattern: a file with such a name is itself.
  private static func isPattern(_ path: String) -> Bool {
    path.contains(where: wildcards.contains) && access(path, F_OK) != 0
  }

  /// The files, in the order in which people count. An HDF5 file is itself.
  /// - Throws: `.cannotOpen` where there is none.
  package static func list(_ path: String) throws(FileError) -> [String] {
    if isPattern(path) { return try matches(path) }
    guard isFolder(path) else { return [path] }
    let names: [String]
    do throws(HostError) { names = try Folder(path).names() } catch {
      throw .cannotOpen(path: path, reason: errnoText(error))
    }
    let images = names.filter { !$0.hasPrefix(".") && isTIFF($0) }.sorted(by: isNaturallyBefore)
    guard !images.isEmpty else {
      throw .cannotOpen(path: path, reason: "it is a folder without TIFF files; name the scan file in it")
    }
    try checkIsSeries(images, in: path)
    return images.map { "\(path)/\($0)" }
  }

  /// What a scan of these files is named after: the folder, or the name without what changes in it.
  package static func name(of path: String) -> String {
    let parts = path.split(separator: "/").map(String.init)
    let last = parts.last ?? "scan"
    let stem = isFolder(path) ? last : last.split(separator: ".").dropLast().joined(separator: ".")
    let plain = String(stem.prefix { !wildcards.contains($0) })
    let trimmed = String(plain.reversed().drop { "_-. ".contains($0) }.reversed())
    return trimmed.isEmpty ? parts.dropLast().last ?? "scan" : trimmed
  }

  /// Of files in their order the places that the numbers in their names give them, from 0: a number without a file is
  /// an image that is missing. Nil where the names do not count images: where not one number alone changes in them, or
  /// more than a tenth of the numbers would be missing.
  static func places(of paths: [String]) -> [Int]? {
    let names = paths.map { $0.split(separator: "/").last.map(String.init) ?? $0 }
    let numbers = names.map { name in name.matches(of: /[0-9]+/).map { Int($0.output) } }
    guard let first = numbers.first, paths.count > 2, numbers.allSatisfy({ $0.count == first.count }) else {
      return nil
    }
    let changing = first.indices.filter { group in numbers.contains { $0[group] != first[group] } }
    guard changing.count == 1 else { return nil }
    let counted = numbers.compactMap { $0[changing[0]] }
    guard counted.count == names.count, let start = counted.first else { return nil }
    let steps = zip(counted.dropFirst(), counted).map { $0.subtractingReportingOverflow($1) }
    guard !steps.contains(where: { $0.overflow || $0.partialValue < 1 }), let step = steps.map(\.partialValue).min(),
      steps.allSatisfy({ $0.partialValue % step == 0 })
    else { return nil }
    let places = counted.map { ($0 - start) / step }
    let missing = places[places.count - 1] + 1 - places.count
    return 10 * missing <= places.count ? places : nil
  }

  private static func matches(_ pattern: String) throws(FileError) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    let code = glob(pattern, GLOB_NOSORT, nil, &found)
    guard code == 0, found.gl_pathc > 0 else {
      throw .cannotOpen(
        path: pattern, reason: code == GLOB_NOMATCH ? "no file matches" : "the folder cannot be read")
    }
    guard found.gl_pathc <= filesMax else {
      throw .cannotOpen(path: pattern, reason: "more than \(filesMax) files match")
    }
    let paths = (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
    if let other = paths.first(where: { !isTIFF($0) || isFolder($0) }) {
      throw .cannotOpen(path: pattern, reason: "\(other) matches, which is no TIFF file; write *.tif at its end")
    }
    return paths.sorted(by: isNaturallyBefore)
  }

  /// Refuses a folder with files of several kinds: which are projections is for a person to say.
  private static func checkIsSeries(_ names: [String], in folder: String) throws(FileError) {
    let kinds = Dictionary(grouping: names) { $0.replacing(/[0-9]+/, with: "*") }
    guard kinds.count > 1 else { return }
    let words = kinds.sorted { $0.value.count > $1.value.count }.prefix(4).map { "\($0.key) (\($0.value.count))" }
    throw .cannotOpen(
      path: folder,
      reason: "it has files of several kinds: \(words.joined(separator: ", ")); name the projections, in quotes, as "
        + "'\(folder)/\(kinds.max { $0.value.count < $1.value.count }?.key ?? "*.tif")', and others with --flats and "
        + "--darks")
  }

  private static func isTIFF(_ path: String) -> Bool {
    let name = path.lowercased()
    return name.hasSuffix(".tif") || name.hasSuffix(".tiff")
  }

  private static func isFolder(_ path: String) -> Bool { access("\(path)/.", F_OK) == 0 }
}
