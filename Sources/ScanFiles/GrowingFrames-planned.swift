package import Host

// How many frames a file that is being written will have, where it says so before they are there.
extension GrowingFrames {
  /// Frames that will come, of each kind.
  package struct Planned: Equatable, Sendable {
    /// Nil where the file does not say.
    package let projections: Int?
    /// As far as it says.
    package let (flats, darks): (Int, Int)
  }

  /// What the file says of all frames: by room for so many and no more, or by keys or angles that are longer than the
  /// frames that are there.
  package func planned() throws(FileError) -> Planned {
    func count(_ key: Double) -> Int { keys.count { $0 == key } }
    guard let total = try total() else { return Planned(projections: nil, flats: count(1), darks: count(2)) }
    guard !keys.isEmpty else { return Planned(projections: total, flats: 0, darks: 0) }
    // What the rest is, nobody knows yet.
    guard keys.count >= total else { return Planned(projections: nil, flats: count(1), darks: count(2)) }
    return Planned(projections: count(0), flats: count(1), darks: count(2))
  }

  private func total() throws(FileError) -> Int? {
    if !isGrowing { return data.shape[0] }
    if let limit = try data.lengthMax() { return limit }
    for name in [paths.keys, paths.thetas].compactMap(\.self) {
      if let limit = try HDF5Dataset(data.file, name).lengthMax() { return limit }
    }
    let most = max(keys.count, thetas.count)
    return most > data.shape[0] ? most : nil
  }
}
