"""What is declared in the package, and what refers to what: the index store's records put together."""
import gc
import multiprocessing
import os
import re
from collections import defaultdict, namedtuple

from . import index_store
from .index_store import (
  ACCESSOR_OF, BASE_OF, CALLED_BY, CHILD_OF, CONTAINED_BY, DECLARATION, DEFINITION, EXTENDED_BY, IMPLICIT, OVERRIDE_OF,
  READ, REFERENCE, WRITE)

File = namedtuple("File", "target path record source")
"""A file as it was compiled, under the name `source`; `path` is where it really is, from the package's root."""

Reference = namedtuple("Reference", "usr file line column container is_read is_written")
"""`container` is the USR of the declaration that the reference stands in, or None."""


class Declaration:
  """A symbol that the package declares."""

  def __init__(self, symbol, file, line, column, is_definition, parent):
    self.usr, self.name, self.kind, self.subkind, self.language = (
      symbol.usr, symbol.name, symbol.kind, symbol.subkind, symbol.language)
    self.file, self.line, self.column, self.is_definition, self.parent = file, line, column, is_definition, parent
    self.is_stored = False

  @property
  def place(self):
    """Where it stands: the same for the copies of a file that several targets compile."""
    return self.file.path, self.line, self.column


class StaleIndex(Exception):
  """The index store does not describe the files that are there."""


# Symbols of the standard library, of which only what other modules add matters.
_STANDARD = re.compile(r"s:[sS](?!.*\d\w+E)")
_STRUCTURE = CHILD_OF | BASE_OF | EXTENDED_BY | ACCESSOR_OF
_UNNAMED = {"parameter", "other", "namespace"}


def _read(job):
  """The occurrences of a record that say something about declarations, as plain values."""
  store, record = job
  if _read.store is None:
    gc.disable()
    _read.store = index_store.Store(store)
  declarations, references, relations, modules, unrelated = [], [], [], [], set()
  last = 0, None
  for symbol, roles, line, column, related in _read.store.occurrences(record):
    if symbol.kind in _UNNAMED or symbol.is_local or symbol.subkind in (
        index_store.TYPE_PARAMETER, index_store.ASSOCIATED_TYPE):
      continue
    if roles & IMPLICIT and roles & REFERENCE and symbol.subkind in index_store.ACCESSORS:
      # The property is referred to at the same place.
      continue
    if symbol.kind == "module":
      modules.append((symbol.name, line))
      continue
    container = inside = None
    for relation, other in related:
      if relation & _STRUCTURE:
        relations.append((relation & _STRUCTURE, symbol.usr, other.usr, roles & IMPLICIT))
      if relation & (CONTAINED_BY | CALLED_BY):
        container = inside = other.usr
      elif relation & BASE_OF:
        container = other.usr
    relations.extend(
      (OVERRIDE_OF, symbol.usr, other.usr, inside) for relation, other in related if relation & OVERRIDE_OF)
    if roles & (DEFINITION | DECLARATION):
      if not roles & IMPLICIT:
        parent = next((other.usr for relation, other in related if relation & CHILD_OF), None)
        declarations.append((symbol, line, column, bool(roles & DEFINITION), parent))
        last = line, symbol.usr
    elif roles & REFERENCE:
      if container is None and last[0] == line and symbol.language == index_store.SWIFT:
        # What a case holds or an alias stands for has no container in the index.
        container = last[1]
      if roles & EXTENDED_BY or _STANDARD.match(symbol.usr):
        # An extension alone is no use of its type.
        unrelated.add(symbol.usr)
      else:
        references.append((symbol.usr, line, column, container, bool(roles & READ), bool(roles & WRITE)))
  extensions = {line: symbol.usr for symbol, line, *_ in declarations if symbol.kind == "extension"}
  # Nor has the type whose nested type is extended.
  references = [
    (usr, line, column, container or extensions.get(line), *roles)
    for usr, line, column, container, *roles in references]
  return [tuple(map(tuple, declarations)), references, relations, modules, unrelated]


_read.store = None


class Program:
  """The package's declarations by USR, the references to them, and how they are related."""

  def __init__(self, package, store):
    self.package = package
    self.files = self._files(store)
    self.declarations = {}
    self.references = []
    self.accessors, self.extensions = {}, {}
    self.bases = defaultdict(set)
    self.overrides = []
    self.imports = defaultdict(list)
    self.symbols = defaultdict(set)
    self._load(store)

  def _files(self, store):
    """What the compiler said last of each file; of a file that several targets compile, for each of them."""
    units = defaultdict(list)
    for unit in index_store.Store(store).units(self.package.root + os.sep):
      units[unit.file].append(unit)
    files, missing = {}, []
    for target, source in self.package.compiled():
      module = target.name if source.endswith(".swift") else ""
      # A file in a linked folder is compiled under its own name.
      real = os.path.realpath(source)
      candidates = [unit for unit in units[source] + units[real] if unit.module == module]
      newest = max(candidates, key=lambda unit: unit.time, default=None)
      if newest is None or newest.time < os.stat(source).st_mtime_ns:
        missing.append(os.path.relpath(source, self.package.root))
        continue
      for record, path in newest.records:
        if path.startswith(self.package.root + os.sep):
          holder = next((other for other in self.package.targets.values() if other.holds(path)), target)
          holder = target if path in (source, real) else holder
          files[record, holder.name] = File(holder, self.package.relative(path), record, path)
    if missing:
      raise StaleIndex(
        f"the index store does not know {missing[0]} as it is now" +
        (f", nor {len(missing) - 1} other files" if len(missing) > 1 else ""))
    return list(files.values())

  def _load(self, store):
    jobs = [(store, file.record) for file in self.files]
    with multiprocessing.get_context("fork").Pool() as pool:
      results = pool.map(_read, jobs, chunksize=8)
    for file, (declarations, references, relations, modules, unrelated) in zip(self.files, results):
      for fields, line, column, is_definition, parent in declarations:
        self._declare(index_store.Symbol(*fields), file, line, column, is_definition, parent)
      self.symbols[file] |= unrelated
      self.symbols[file].update(reference[0] for reference in references)
      self.references.extend(
        Reference(usr, file, line, column, container, is_read, is_written)
        for usr, line, column, container, is_read, is_written in references)
      self.imports[file] = modules
      for role, usr, other, detail in relations:
        self._relate(role, usr, other, detail)
    self.extensions_of, self.external_names = defaultdict(list), {}
    for extension, extended in self.extensions.items():
      self.extensions_of[extended].append(extension)
      if extension in self.declarations:
        self.external_names[extended] = self.declarations[extension].name
    for usr, (property_usr, is_implicit) in self.accessors.items():
      # The compiler writes the accessors of what is stored.
      declaration = self.declarations.get(property_usr)
      if declaration and is_implicit:
        declaration.is_stored = True
    for declaration in [declaration for declaration in self.declarations.values() if declaration.usr in self.accessors]:
      del self.declarations[declaration.usr]

    self.children = defaultdict(list)
    for declaration in self.declarations.values():
      self.children[self.parent(declaration)].append(declaration)

  def _declare(self, symbol, file, line, column, is_definition, parent):
    known = self.declarations.get(symbol.usr)
    if known is None or (is_definition and not known.is_definition):
      self.declarations[symbol.usr] = Declaration(symbol, file, line, column, is_definition, parent)

  def _relate(self, role, usr, other, detail):
    if role & OVERRIDE_OF:
      self.overrides.append((usr, other, detail))
    if role & BASE_OF:
      self.bases[other].add(usr)
    if role & EXTENDED_BY:
      self.extensions[other] = usr
    if role & ACCESSOR_OF:
      self.accessors[usr] = (other, bool(detail))

  def owner(self, usr):
    """The declaration that an accessor or deinitialiser belongs to, or the symbol itself."""
    if usr in self.accessors:
      return self.accessors[usr][0]
    declaration = self.declarations.get(usr)
    return declaration.parent if declaration and declaration.kind == "deinitialiser" else usr

  def parent(self, declaration):
    """The USR of the type that a declaration is a member of, also where an extension declares it."""
    return self.extensions.get(declaration.parent, declaration.parent)

  def conformances(self, usr):
    """The USRs of all that a type inherits from and conforms to, its extensions included."""
    found, waiting = set(), [usr] + self.extensions_of[usr]
    while waiting:
      for base in self.bases.get(waiting.pop(), ()):
        if base not in found:
          found.add(base)
          waiting.append(base)
          waiting.extend(self.extensions_of[base])
    return found

  def name(self, declaration):
    """`Type.member(label:)`, as it is named inside its target."""
    parent = self.parent(declaration)
    if parent is None:
      return declaration.name
    known = self.declarations.get(parent)
    if known:
      return f"{self.name(known)}.{declaration.name}"
    return f"{self.external_names[parent]}.{declaration.name}"
