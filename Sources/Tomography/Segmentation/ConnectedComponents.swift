/// Finds what is connected by faces in a volume whose slices come one after the other: two passes with a union-find
/// (A. Rosenfeld and J. L. Pfaltz, J. ACM 13, 1966, 471–494), the first over the voxels with two slices in memory,
/// the second over the numbers that it gave. The least number of a component stands for it, so that the same volume
/// always gives the same result.
package struct ConnectedComponents {
  /// Edge of a slice.
  let columns: Int
  /// Of each voxel of the slice before, the number that it got, from 1; 0 where it is not of the class.
  private var above: [UInt32]
  private var current: [UInt32]
  /// By number: a smaller or equal number of the same component.
  private var parents: [UInt32] = [0]
  /// By number: voxels that got it.
  private var counts: [Int] = [0]

  /// Of slices with columns × columns voxels.
  package init(columns: Int) {
    precondition(columns > 0, "slices of \(columns) columns")
    self.columns = columns
    above = [UInt32](repeating: 0, count: columns * columns)
    current = above
  }

  /// Takes the next slice, row 0 on top; voxels of the class `label` belong to components.
  package mutating func add(_ slice: UnsafeBufferPointer<UInt8>, label: UInt8) {
    precondition(slice.count == columns * columns, "a slice of \(slice.count) voxels with \(columns) columns")
    for row in 0..<columns {
      for column in 0..<columns {
        let voxel = row * columns + column
        guard slice[voxel] == label else {
          current[voxel] = 0
          continue
        }
        let left = column > 0 ? current[voxel - 1] : 0
        let before = row > 0 ? current[voxel - columns] : 0
        current[voxel] = number(left, before, above[voxel])
      }
    }
    swap(&above, &current)
  }

  /// Voxels of each component, in the order in which the components began.
  package consuming func sizes() -> [Int] {
    for number in parents.indices.dropFirst() {
      let root = parents[Int(parents[number])]
      // Parents are smaller, and were flattened before.
      parents[number] = root
      if Int(root) != number { counts[Int(root)] += counts[number] }
    }
    return parents.indices.dropFirst().filter { Int(parents[$0]) == $0 }.map { counts[$0] }
  }

  /// The number of a voxel with these neighbours, which it makes one component.
  private mutating func number(_ first: UInt32, _ second: UInt32, _ third: UInt32) -> UInt32 {
    var least: UInt32 = 0
    if first != 0 { least = root(first) }
    if second != 0 { least = least == 0 ? root(second) : join(least, root(second)) }
    if third != 0 { least = least == 0 ? root(third) : join(least, root(third)) }
    if least == 0 {
      least = UInt32(parents.count)
      parents.append(least)
      counts.append(0)
    }
    counts[Int(least)] += 1
    return least
  }

  /// The least number of a component as far as it is known, with paths made half as long on the way.
  private mutating func root(_ number: UInt32) -> UInt32 {
    var number = number
    while parents[Int(number)] != number {
      parents[Int(number)] = parents[Int(parents[Int(number)])]
      number = parents[Int(number)]
    }
    return number
  }

  private mutating func join(_ one: UInt32, _ other: UInt32) -> UInt32 {
    let (least, most) = (min(one, other), max(one, other))
    parents[Int(most)] = least
    return least
  }
}
