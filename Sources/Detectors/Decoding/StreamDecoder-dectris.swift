// DECTRIS stream version 1 (SIMPLON API reference, "Stream"): a header, images, and an end, each a message of several
// parts.
//
//   dheader-1.0 [head: series] [configuration] … dimage-1.0 [head: series, frame] [dimage_d-1.0: shape as columns and
//   rows, type, encoding, size] [image] [dconfig-1.0: times] … dseries_end-1.0 [head: series]
extension StreamDecoder {
  mutating func decodeDectris(
    _ head: MessageHead, _ parts: UnsafeBufferPointer<UnsafeRawBufferPointer>
  ) throws(MessageFault) -> StreamMessage {
    guard (3...5).contains(parts.count) else { throw .parts }
    let number = try head.needed(head.frame)
    try enter(head.needed(head.series), image: number)
    let data = try MessageHead(dectrisData: parts[1])
    let (columns, rows) = try data.needed(data.shape)
    let format = try check(shape: (rows, columns), pixel: data.needed(data.pixel))
    guard data.encoding != .none || parts[2].count == format.byteCount, !parts[2].isEmpty else { throw .size }
    follow(format)
    var header = FrameHeader(number: number)
    header.series = head.series
    (header.encoding, header.isBigEndian) = (data.encoding, data.isBigEndian)
    return .frame(header, parts[2])
  }
}
