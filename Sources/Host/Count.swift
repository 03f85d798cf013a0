/// A number of things, as in `1 slice` and `2 slices`. `many` is the word for several, where that is not `one` and an
/// s.
package func counted(_ count: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
  "\(count) \(count == 1 ? one : many ?? one + "s")"
}
