import Glibc

/// Whether an open descriptor is an ordinary file's: not a pipe's, a device's or a folder's.
package func isRegularFile(_ descriptor: Int32) -> Bool {
  var status = stat()
  return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
}
