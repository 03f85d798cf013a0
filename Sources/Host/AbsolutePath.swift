import Glibc

/// `path` from the root on. Components that say nothing are left out, and ".." leads where the kernel would go: to the
/// folder above the one that a symbolic link before it names. Behind a folder that is missing it takes its name away.
///
/// Nothing stands for something else: a "~" that no shell replaced is a name like any other.
package func absolutePath(_ path: String) -> String {
  var folder = path.hasPrefix("/") ? "" : realPath(of: ".") ?? "."
  for component in path.split(separator: "/") where component != "." {
    if component != ".." {
      folder += "/\(component)"
    } else if !folder.isEmpty {
      folder = folderName(of: realPath(of: folder) ?? folder)
    }
    if folder == "/" { folder = "" }
  }
  return folder.isEmpty ? "/" : folder
}

/// Where a path leads, without symbolic links; nil where there is nothing.
private func realPath(of path: String) -> String? {
  guard let resolved = realpath(path, nil) else { return nil }
  defer { free(resolved) }
  return String(cString: resolved)
}
