/// Bytes that do not unpack to what they should.
package struct PackingFault: Error, Equatable, Sendable {}
