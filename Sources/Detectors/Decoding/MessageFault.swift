/// Why a message of a stream was not taken. It is counted under this name, and the stream goes on with the next one.
package enum MessageFault: Int, Error, Equatable, Sendable, CaseIterable {
  /// It has other parts than its kind should have.
  case parts
  /// Its header is longer than any header is.
  case headerTooLong
  /// Its header is no JSON object.
  case json
  /// Its `htype` is none that is known.
  case messageType
  /// A field that is needed is missing, or is no such value.
  case field
  /// Its frame number is outside the scan.
  case number
  /// Its image has another shape than the scan.
  case shape
  /// Its pixels have another type than the scan's, or an unknown byte order.
  case pixel
  /// Its encoding is none that is known.
  case encoding
  /// Its image has fewer or more bytes than its shape says.
  case size
  /// Its image does not decompress to its shape.
  case compression
  /// It belongs to another series.
  case series
  /// It is an image beyond the number that was announced of its kind.
  case surplus
  /// It is no CBOR map, as messages of DECTRIS stream version 2 are.
  case cbor
  /// It holds images of several channels, of which none was chosen, or not the one that was.
  case channel

  /// The name in reports.
  package var name: String {
    switch self {
    case .parts: "wrong-parts"
    case .headerTooLong: "header-too-long"
    case .json: "no-json"
    case .messageType: "unknown-htype"
    case .field: "bad-field"
    case .number: "frame-number-out-of-range"
    case .shape: "wrong-shape"
    case .pixel: "wrong-pixel-type"
    case .encoding: "unknown-encoding"
    case .size: "wrong-size"
    case .compression: "does-not-decompress"
    case .series: "other-series"
    case .surplus: "more-images-than-announced"
    case .cbor: "no-cbor"
    case .channel: "several-channels"
    }
  }
}
