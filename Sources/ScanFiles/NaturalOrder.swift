/// Whether a name comes before another in the order in which people count: img_2 before img_10.
package func isNaturallyBefore(_ first: String, _ second: String) -> Bool {
  var (first, second) = (first.utf8[...], second.utf8[...])
  while let one = first.first, let other = second.first {
    if isDigit(one), isDigit(other) {
      let (numbers, zeros) = (takeNumber(&first), takeNumber(&second))
      let (here, there) = (numbers.digits, zeros.digits)
      if here.count != there.count { return here.count < there.count }
      if !here.elementsEqual(there) { return here.lexicographicallyPrecedes(there) }
      // The same number: the one with fewer zeros before it is first, so that the order is one.
      if numbers.length != zeros.length { return numbers.length < zeros.length }
    } else if one != other {
      return one < other
    } else {
      first.removeFirst()
      second.removeFirst()
    }
  }
  return first.isEmpty && !second.isEmpty
}

private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// Takes the digits that a text begins with: those behind leading zeros, and how many there were.
private func takeNumber(_ text: inout Substring.UTF8View) -> (digits: Substring.UTF8View, length: Int) {
  let digits = text.prefix(while: isDigit)
  text = text.dropFirst(digits.count)
  return (digits.drop { $0 == UInt8(ascii: "0") }, digits.count)
}
