import Host

/// Endings of the datasets with the fields before and behind a scan, where they are not in one.
private let endings = [(before: "_pre", behind: "_post"), (before: "_start", behind: "_end")]

/// All flats or darks of a DXchange file, and how many of them come behind the scan; nil where the file does not say.
func openFields(
  _ file: HDF5File, _ name: String, else fallback: String, rows: Int, columns: Int, of data: String
) throws(FileError) -> (all: FrameStack, behind: Int?) {
  func stack(_ names: [String]) throws(FileError) -> FrameStack {
    try openField(file, names, rows: rows, columns: columns, of: data)
  }
  for ending in endings {
    let names = (before: name + ending.before, behind: name + ending.behind)
    guard let first = try file.firstDataset(of: [names.before, names.behind]) else { continue }
    // Beside one that is before the scan, the one without an ending has all of them.
    let hasPlain = try file.hasDataset(name)
    if hasPlain, first == names.before { break }
    let (before, behind) = (try stack([hasPlain ? name : names.before]), try stack([names.behind]))
    let stacks = [before, behind].filter { $0.count > 0 }
    guard let one = stacks.first else { continue }
    guard stacks.allSatisfy({ $0.pixel == one.pixel }) else {
      throw file.bad("the frames of \(name) before and behind the scan are of two types; give --flats or --darks")
    }
    return (FrameStack(source: .joined(stacks), rows: rows, columns: columns), behind.count)
  }
  return (try stack([name, fallback]), nil)
}

/// Flats or darks: a stack, a single frame, or one number for all pixels. No frames at all are the same as no dataset.
func openField(
  _ file: HDF5File, _ names: [String], rows: Int, columns: Int, of data: String
) throws(FileError) -> FrameStack {
  func stack(_ source: FrameStack.Source) -> FrameStack { FrameStack(source: source, rows: rows, columns: columns) }
  guard let name = try file.firstDataset(of: names) else { return stack(.none) }
  let dataset = try HDF5Dataset(file, name)
  switch dataset.shape.count {
  case 3 where dataset.shape[0] == 0: return stack(.none)
  case 3 where Array(dataset.shape[1...]) == [rows, columns]:
    return stack(.frames(dataset, Array(0..<dataset.shape[0])))
  case 2 where dataset.shape == [rows, columns]: return stack(.single(dataset))
  case 0...1 where dataset.shape.allSatisfy { $0 == 1 }:
    let value = try dataset.readAll()[0]
    guard value.isFinite else { throw file.bad("\(name) is \(value)") }
    return stack(.constant(Float(value)))
  default:
    throw file.bad(
      "\(name) is \(dataset.shapeText), and has to be frames of \(rows) × \(columns) as \(data) is")
  }
}
