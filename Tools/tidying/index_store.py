"""Reads the index store that the Swift compiler leaves beside its objects, through the toolchain's libIndexStore."""
import ctypes
import os
import shutil
from collections import namedtuple
from ctypes import CFUNCTYPE, POINTER, byref, c_bool, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p

# Roles of an occurrence, and of its relations to other symbols.
DECLARATION, DEFINITION, REFERENCE, READ, WRITE, IMPLICIT = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 8
CHILD_OF, BASE_OF, OVERRIDE_OF, CALLED_BY, EXTENDED_BY = 1 << 9, 1 << 10, 1 << 11, 1 << 13, 1 << 14
ACCESSOR_OF, CONTAINED_BY = 1 << 15, 1 << 16
RELATIONS = CHILD_OF | BASE_OF | OVERRIDE_OF | CALLED_BY | EXTENDED_BY | ACCESSOR_OF | CONTAINED_BY

KINDS = {
  1: "module", 4: "macro", 5: "enum", 6: "struct", 7: "class", 8: "protocol", 9: "extension", 10: "union",
  11: "typealias", 12: "function", 13: "variable", 14: "field", 15: "case", 16: "method", 17: "method", 18: "method",
  19: "property", 20: "property", 21: "property", 22: "initialiser", 23: "deinitialiser", 25: "parameter",
}
ASSOCIATED_TYPE, TYPE_PARAMETER = 1012, 1013
ACCESSORS = {3, 4, *range(1000, 1004), *range(1014, 1019)}

LOCAL = 1 << 7
SWIFT = 100

Symbol = namedtuple("Symbol", "usr name kind subkind is_local language")
Occurrence = namedtuple("Occurrence", "symbol roles line column relations")
"""What stands at one place; `relations` are pairs of roles and symbol."""

Unit = namedtuple("Unit", "module file records time")
"""One compilation of `file`: its records, each with the file that it describes, and when it was, in nanoseconds."""


class _String(ctypes.Structure):
  _fields_ = [("data", c_void_p), ("length", c_size_t)]

  def __str__(self):
    return ctypes.string_at(self.data, self.length).decode() if self.length else ""


_OnString = CFUNCTYPE(c_bool, c_void_p, _String)
_OnPointer = CFUNCTYPE(c_bool, c_void_p, c_void_p)


def toolchain():
  """The folder of the `swift` on the PATH, with bin and lib in it."""
  swift = shutil.which("swift")
  if swift is None:
    raise FileNotFoundError("'swift' is not on the PATH")
  return os.path.dirname(os.path.dirname(os.path.realpath(swift)))


def _load():
  # PyDLL keeps Python's lock: the calls are short, and taking it again for each would cost more than they do.
  library = ctypes.PyDLL(os.path.join(toolchain(), "lib", "libIndexStore.so"))

  def function(name, result, *arguments):
    entry = getattr(library, "indexstore_" + name)
    entry.restype, entry.argtypes = result, arguments
    return entry

  class Functions:
    error_description = function("error_get_description", c_char_p, c_void_p)
    store_create = function("store_create", c_void_p, c_char_p, POINTER(c_void_p))
    units_apply = function("store_units_apply_f", c_bool, c_void_p, c_uint, c_void_p, _OnString)
    unit_time = function(
      "store_get_unit_modification_time", c_bool, c_void_p, c_char_p, POINTER(c_uint64), POINTER(c_uint64), c_void_p)
    unit_create = function("unit_reader_create", c_void_p, c_void_p, c_char_p, c_void_p)
    unit_dispose = function("unit_reader_dispose", None, c_void_p)
    unit_main_file = function("unit_reader_get_main_file", _String, c_void_p)
    unit_module = function("unit_reader_get_module_name", _String, c_void_p)
    unit_folder = function("unit_reader_get_working_dir", _String, c_void_p)
    unit_dependencies = function("unit_reader_dependencies_apply_f", c_bool, c_void_p, c_void_p, _OnPointer)
    dependency_kind = function("unit_dependency_get_kind", c_int, c_void_p)
    dependency_name = function("unit_dependency_get_name", _String, c_void_p)
    dependency_file = function("unit_dependency_get_filepath", _String, c_void_p)
    record_create = function("record_reader_create", c_void_p, c_void_p, c_char_p, c_void_p)
    record_dispose = function("record_reader_dispose", None, c_void_p)
    occurrences_apply = function("record_reader_occurrences_apply_f", c_bool, c_void_p, c_void_p, _OnPointer)
    occurrence_symbol = function("occurrence_get_symbol", c_void_p, c_void_p)
    occurrence_roles = function("occurrence_get_roles", c_uint64, c_void_p)
    occurrence_place = function("occurrence_get_line_col", None, c_void_p, POINTER(c_uint), POINTER(c_uint))
    occurrence_relations = function("occurrence_relations_apply_f", c_bool, c_void_p, c_void_p, _OnPointer)
    relation_roles = function("symbol_relation_get_roles", c_uint64, c_void_p)
    relation_symbol = function("symbol_relation_get_symbol", c_void_p, c_void_p)
    symbol_usr = function("symbol_get_usr", _String, c_void_p)
    symbol_name = function("symbol_get_name", _String, c_void_p)
    symbol_kind = function("symbol_get_kind", c_int, c_void_p)
    symbol_subkind = function("symbol_get_subkind", c_int, c_void_p)
    symbol_properties = function("symbol_get_properties", c_uint64, c_void_p)
    symbol_language = function("symbol_get_language", c_int, c_void_p)

  return Functions


class Store:
  """An index store; raises OSError where there is none."""

  def __init__(self, path):
    self._library = _load()
    error = c_void_p()
    self._store = self._library.store_create(os.fsencode(path), byref(error))
    if not self._store:
      raise OSError(self._library.error_description(error).decode())

  def units(self, folder):
    """A unit for each compilation of a file under `folder`: stale ones too."""
    names = []

    @_OnString
    def take(_, name):
      names.append(str(name))
      return True

    self._library.units_apply(self._store, 0, None, take)
    return [unit for unit in (self._unit(name, folder) for name in names) if unit]

  def _unit(self, name, folder):
    library = self._library
    encoded = name.encode()
    reader = library.unit_create(self._store, encoded, None)
    if not reader:
      return None
    try:
      file = str(library.unit_main_file(reader))
      if not file:
        return None
      file = os.path.normpath(os.path.join(str(library.unit_folder(reader)), file))
      if not file.startswith(folder):
        return None
      records = []

      @_OnPointer
      def take(_, dependency):
        # A record belongs to the unit's own file, or to a header that a C file includes.
        if library.dependency_kind(dependency) == 2:
          records.append((str(library.dependency_name(dependency)), str(library.dependency_file(dependency))))
        return True

      library.unit_dependencies(reader, None, take)
      seconds, nanoseconds = c_uint64(), c_uint64()
      library.unit_time(self._store, encoded, byref(seconds), byref(nanoseconds), None)
      return Unit(str(library.unit_module(reader)), file, records, seconds.value * 1_000_000_000 + nanoseconds.value)
    finally:
      library.unit_dispose(reader)

  def occurrences(self, record):
    """Everything that stands in a file."""
    library = self._library
    reader = library.record_create(self._store, record.encode(), None)
    if not reader:
      raise OSError(f"the index store has no record {record}")
    symbols, result, relations = {}, [], []
    line, column = c_uint(), c_uint()
    line_reference, column_reference = byref(line), byref(column)

    def symbol(pointer):
      known = symbols.get(pointer)
      if known is None:
        known = symbols[pointer] = Symbol(
          str(library.symbol_usr(pointer)), str(library.symbol_name(pointer)),
          KINDS.get(library.symbol_kind(pointer), "other"), library.symbol_subkind(pointer),
          bool(library.symbol_properties(pointer) & LOCAL), library.symbol_language(pointer))
      return known

    @_OnPointer
    def take_relation(_, relation):
      relations.append((library.relation_roles(relation), symbol(library.relation_symbol(relation))))
      return True

    @_OnPointer
    def take(_, occurrence):
      roles = library.occurrence_roles(occurrence)
      library.occurrence_place(occurrence, line_reference, column_reference)
      relations.clear()
      if roles & RELATIONS:
        library.occurrence_relations(occurrence, None, take_relation)
      result.append(
        Occurrence(symbol(library.occurrence_symbol(occurrence)), roles, line.value, column.value, tuple(relations)))
      return True

    library.occurrences_apply(reader, None, take)
    library.record_dispose(reader)
    return result
