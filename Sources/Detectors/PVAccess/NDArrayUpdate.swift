/// What an update of an NTNDArray says (EPICS normative types 1.0), as it was said: nothing of it is checked yet.
package struct NDArrayUpdate {
  /// Elements of an array, as pvData numbers its scalar types.
  package enum Element: Int, Sendable, CaseIterable {
    /// Signed bytes.
    case int8 = 1
    /// Signed 16-bit numbers.
    case int16
    /// Signed 32-bit numbers.
    case int32
    /// Signed 64-bit numbers.
    case int64
    /// Bytes.
    case uint8
    /// Unsigned 16-bit numbers.
    case uint16
    /// Unsigned 32-bit numbers.
    case uint32
    /// Unsigned 64-bit numbers.
    case uint64
    /// 32-bit IEEE floats.
    case float32
    /// 64-bit IEEE floats.
    case float64
  }

  /// A field that may be missing.
  package enum Reading: Equatable, Sendable {
    /// It is missing.
    case none
    /// It holds a number.
    case number(Double)
    /// It holds something else.
    case other
  }

  /// `uniqueId`
  package var number: Int64 = 0
  /// How many elements `dimension` has.
  package var dimensionCount: UInt64 = 0
  /// The sizes of its first two, the fastest first; negative where they say none.
  package var dimensions: (Int64, Int64) = (0, 0)
  /// The elements of the member that `value` has; nil where it has none.
  package var element: Element?
  /// The bytes of that member.
  package var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
  /// `codec.name`
  package var codec = ""
  /// `codec.parameters`: the elements of the image that is compressed.
  package var codecParameter = Reading.none
  /// Seconds since 1970.
  package var timestamp = Reading.none
  /// The attribute `theta`.
  package var theta = Reading.none
  /// The attribute `image_key`.
  package var imageKey = Reading.none
  /// The attribute `projections`: how many the scan has.
  var projections = Reading.none
  /// The attribute `flats`, likewise.
  var flats = Reading.none
  /// The attribute `darks`, likewise.
  var darks = Reading.none
  /// The attribute `energy`: keV.
  var energy = Reading.none
  /// The attribute `pixel_size`: mm.
  var pixelSize = Reading.none
  /// The attribute `sample`; empty where it is missing.
  var sample = ""

  /// An update that says nothing.
  package init() {}
}
