"""The package as its manifest describes it, and the files that are there."""
import json
import os
import re
import subprocess

FOLDERS = ("Docs.docc", "Sources", "Tests", "Tools")


class Target:
  """A target; `folder` is an absolute path, links resolved, `dependencies` are names of targets and products."""

  def __init__(self, root, described):
    self.name, self.type = described["name"], described["type"]
    path = described.get("path") or os.path.join("Tests" if self.type == "test" else "Sources", self.name)
    self.path = os.path.normpath(path)
    self.folder = os.path.join(root, self.path)
    self.excluded = [self._inside(path) for path in described.get("exclude", [])]
    self.chosen = [self._inside(path) for path in described.get("sources") or []]
    self.resources = [self._inside(entry["path"]) for entry in described.get("resources", [])]
    self.pkg_config = described.get("pkgConfig")
    self.dependencies, self.packages = [], {}
    for dependency in described["dependencies"]:
      (kind, values), = dependency.items()
      self.dependencies.append(values[0])
      if kind == "product":
        self.packages[values[0]] = values[1]

  def _inside(self, path):
    return os.path.normpath(os.path.join(self.folder, path))

  @property
  def is_test(self):
    return self.path.split(os.sep)[0] == "Tests"

  def compiler_flags(self):
    """What pkg-config says of a system library's headers."""
    if not self.pkg_config:
      return []
    return subprocess.run(["pkg-config", "--cflags", self.pkg_config], capture_output=True, text=True).stdout.split()

  def holds(self, path):
    """Whether a file (by the name under which the compiler sees it) is this target's."""
    if not path.startswith(self.folder + os.sep) or any(_is_within(path, excluded) for excluded in self.excluded):
      return False
    return not self.chosen or any(_is_within(path, chosen) for chosen in self.chosen)


def _is_within(path, folder):
  return path == folder or path.startswith(folder + os.sep)


class Package:
  """Manifest and files of the package at `root`."""

  def __init__(self, root):
    self.root = root
    described = subprocess.run(
      ["swift", "package", "--package-path", root, "dump-package"], capture_output=True, text=True)
    if described.returncode:
      raise OSError(f"swift package dump-package failed: {described.stderr.strip()}")
    manifest = json.loads(described.stdout)
    self.targets = {target["name"]: Target(root, target) for target in manifest["targets"]}
    self.dependencies = [next(iter(entry.values()))[0]["identity"] for entry in manifest["dependencies"]]
    self.manifest_lines = self.read("Package.swift").split("\n")
    self.files = sorted(self._walk())
    self._texts = {}

  def _walk(self):
    """Paths from the root of every file that is not hidden; a linked one counts where it really is."""
    for name in os.listdir(self.root):
      if os.path.isfile(os.path.join(self.root, name)) and not name.startswith("."):
        yield name
    for top in FOLDERS:
      for folder, folders, names in os.walk(os.path.join(self.root, top)):
        folders[:] = [
          name for name in folders
          if not name.startswith(".") and name != "__pycache__" and not os.path.islink(os.path.join(folder, name))]
        for name in names:
          path = os.path.join(folder, name)
          if not name.startswith(".") and not os.path.islink(path):
            yield os.path.relpath(path, self.root)

  def read(self, path):
    with open(os.path.join(self.root, path), encoding="utf-8") as file:
      return file.read()

  def relative(self, path):
    """A path from the root, of the file itself where `path` is or leads through a link."""
    return os.path.relpath(os.path.realpath(path), self.root)

  def compiled(self):
    """(target, path under which it is compiled) of every Swift and C file, linked ones as often as they are linked."""
    for target in self.targets.values():
      for folder, folders, names in os.walk(target.folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not name.endswith(".docc")]
        for name in names:
          path = os.path.join(folder, name)
          if name.endswith((".swift", ".c")) and target.holds(path):
            yield target, path

  def manifest_line(self, target):
    """Where the manifest declares a target; 1 where its name is computed."""
    pattern = re.compile(rf'name: "{re.escape(target)}"')
    return next((number for number, line in enumerate(self.manifest_lines, 1) if pattern.search(line)), 1)
