"""Imports that a file does not need, and dependencies that a target does not."""
import os
import re
import subprocess
from collections import defaultdict

from .finding import Finding
from .index_store import SWIFT, toolchain
from .swift_text import IMPORT

# Modules whose symbols come with another's name.
_PARTS = {
  "Foundation": {"Foundation", "FoundationEssentials", "FoundationInternationalization", "CoreFoundation"},
  "Glibc": {"Glibc", "SwiftGlibc"},
  "ArgumentParser": {"ArgumentParser", "ArgumentParserToolInfo"},
}
_GLIBC = "Glibc"
_TYPES = {"struct", "enum", "class", "protocol", "typealias"}
_NAME = re.compile(r"[A-Za-z_]\w*")


class CNames:
  """Which C module a name is from: each system library's own headers preprocessed, without those of the C library."""

  def __init__(self, package):
    header = _glibc_header()
    text = _preprocess(header, []) if header else ""
    self.shared = _files(text)
    self.shared_names = set(_NAME.findall(text))
    self.modules = {}
    for target in package.targets.values():
      if target.type == "system":
        self.modules[target.name] = self._names(target)

  def _names(self, target):
    with open(os.path.join(target.folder, "module.modulemap"), encoding="utf-8") as file:
      headers = re.findall(r'header\s+"([^"]+)"', file.read())
    names = set()
    for header in headers:
      text = _preprocess(os.path.join(target.folder, header), target.compiler_flags())
      for path, line in _lines(text):
        if path not in self.shared:
          names.update(_NAME.findall(line))
    return names

  def owners(self, name):
    owners = {module for module, names in self.modules.items() if name in names}
    return owners | {_GLIBC} if name in self.shared_names or not owners else owners


def _glibc_header():
  path = os.path.join(toolchain(), "lib", "swift", "linux", os.uname().machine, "SwiftGlibc.h")
  return path if os.path.exists(path) else None


def _preprocess(header, flags):
  return subprocess.run(["clang", "-E", "-dD", *flags, header], capture_output=True, text=True).stdout


def _lines(text):
  """The lines of a preprocessed text, each with the file that it is from."""
  path = ""
  for line in text.split("\n"):
    marker = re.match(r'# \d+ "([^"]+)"', line)
    if marker:
      path = os.path.normpath(marker.group(1))
    else:
      yield path, line


def _files(text):
  return {path for path, _ in _lines(text) if path.startswith("/")}


def _module(usr, program, c_names):
  """The modules that a symbol may be from."""
  declaration = program.declarations.get(program.owner(usr))
  if declaration:
    return {declaration.file.target.name}
  if usr.startswith("c:"):
    # A field goes with its structure.
    found = re.search(r"@(?:SA?|UA?|E[Aa]?|F|T|macro)@([^@]+)", usr)
    return c_names.owners(found.group(1) if found else usr.rsplit("@", 1)[-1])
  imported = re.match(r"s:(?:So|SC)(\d+)", usr)
  if imported:
    start = imported.end()
    return c_names.owners(usr[start : start + int(imported.group(1))])
  found = re.match(r"s:(\d+)", usr)
  if found:
    start = found.end()
    return {usr[start : start + int(found.group(1))]}
  return set()


def _is_used(module, code, used, symbols, types):
  parts = _PARTS.get(module, {module})
  if not parts.isdisjoint(used):
    return True
  # What a module adds to another's type.
  if any(f"{len(part)}{part}E" in usr for part in parts for usr in symbols):
    return True
  # The index leaves out the type of `do throws(Error)`, and members like `rawValue` that the compiler writes.
  if any(re.search(rf"\b{type}\b", code) for type in types):
    return True
  if re.search(r"\.(?:rawValue|hashValue)\b", code) and any(f"{len(module)}{module}" in usr for usr in symbols):
    return True
  # Foundation brings the C library with it.
  return module == "Foundation" and _GLIBC in used and not re.search(r"^\s*(?:\w+\s+)?import Glibc", code, re.M)


def _types(program):
  """The names of the types that each target declares outside others."""
  types = defaultdict(set)
  for declaration in program.declarations.values():
    if declaration.kind in _TYPES and declaration.parent is None and declaration.language == SWIFT:
      types[declaration.file.target.name].add(declaration.name)
  return types


def check_imports(program, texts):
  c_names, types = CNames(program.package), _types(program)
  results = defaultdict(list)
  for file in program.files:
    if not file.path.endswith(".swift"):
      continue
    text = texts(file.path)
    statements = {text.line_of(found.start(1)): found.group(1) for found in IMPORT.finditer(text.code)}
    symbols = program.symbols[file]
    used = set().union(*(_module(usr, program, c_names) for usr in symbols)) if symbols else set()
    # A name that is qualified with its module.
    used.update(module for module, line in program.imports[file] if line not in statements)
    compiled = {line for _, line in program.imports[file]}
    for line, module in statements.items():
      if line in compiled:
        results[file.path, line, module].append(_is_used(module, text.code, used, symbols, types[module]))
  for (path, line, module), uses in sorted(results.items()):
    if not any(uses):
      yield Finding(
        path, line, f"nothing in this file is from {module}: remove the import", (f"{path} import {module}",))


def check_dependencies(program, texts):
  package = program.package
  imported, packages = defaultdict(set), set()
  for file in program.files:
    if file.path.endswith(".swift"):
      imported[file.target.name].update(IMPORT.findall(texts(file.path).code))
  for target in package.targets.values():
    packages.update(name.lower() for name in target.packages.values())
    if not imported[target.name]:
      continue
    for dependency in target.dependencies:
      other = package.targets.get(dependency)
      # A program is run, not imported.
      if dependency in imported[target.name] or (other and other.type == "executable"):
        continue
      yield Finding(
        "Package.swift", package.manifest_line(target.name),
        f"no file of {target.name} imports its dependency {dependency}: remove it", (f"{target.name} -> {dependency}",))
  for dependency in package.dependencies:
    if dependency not in packages:
      yield Finding("Package.swift", 1, f"no target uses the package {dependency}: remove it", (dependency,))
