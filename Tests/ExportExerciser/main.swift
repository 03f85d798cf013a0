import Glibc
import Host
import ScanFiles

// Writes what an export writes, small: ExportExerciser FOLDER NUMBER. All files hold values that depend on the number.
// One thread makes the calls that an export shares among several, so that each can be the last one. It ends with 0, or
// with a line on standard error and the error's exit code.

guard CommandLine.arguments.count == 3, let number = Int(CommandLine.arguments[2]) else { exit(64) }
let folder = CommandLine.arguments[1]
let columns = 24
let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: columns * columns)
for index in values.indices { values[index] = Float(index + number * 100_000) }
do throws(FileError) {
  let volume = try VolumeHDF5Writer(path: "\(folder)/volume.h5", slices: 1, columns: columns)
  let slices = AtomicFileGroup()
  let image = TIFFImage(columns: columns, rows: columns, pixels: .float32, description: "a slice")
  for slice in 0..<2 {
    try image.write(
      UnsafeBufferPointer(values), scale: 1, to: try slices.begin(path: "\(folder)/slice\(slice).tiff"))
  }
  try volume.write(slice: UnsafeBufferPointer(values), at: 0)
  volume.beginWriting()
  for file in slices.waiting { try file.makeDurable() }
  try slices.giveNames(2)
  try slices.commit()
  try volume.finish()
} catch {
  let line = "\(error)\n"
  write(2, line, line.utf8.count)
  exit(error.exitCode)
}
