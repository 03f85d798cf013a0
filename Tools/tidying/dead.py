"""Declarations in Sources that nothing refers to, or only tests do."""
import os
import re
from collections import defaultdict

from .finding import Finding
from .index_store import SWIFT

_CODABLE = {"s:Se", "s:SE"}
# The protocols whose requirements the compiler writes from the stored properties.
_COMPARED = {"s:SQ", "s:SH", "s:SL"}
# Protocols whose conformance reaches every case of an enum.
_EVERY_CASE = _CODABLE | {
  "s:s12CaseIterableP", "s:s9CodingKeyP", "s:14ArgumentParser13EnumerableFlagP",
  "s:14ArgumentParser20ExpressibleByArgumentP",
}
# What the compiler calls on its own where the language says so.
_IMPLIED_NAMES = {
  "wrappedValue", "projectedValue", "init(wrappedValue:)", "subscript(dynamicMember:)", "appendInterpolation",
  "callAsFunction", "buildBlock", "buildExpression", "buildOptional", "buildEither", "buildArray", "buildFinalResult",
}

_INLINE_FUNCTION = re.compile(r"^static inline\b[^;{}()]*?\b(\w+)\(", re.M)
_NOT_NAMED = {"extension", "deinitialiser", "field", "union"}


class Reach:
  """Which declarations are reached from where a program begins, and then from tests too."""

  def __init__(self, program, texts, allow_list):
    self.program, self.texts = program, texts
    self.edges = defaultdict(set)
    # By requirement and by type: what else must be reached, and the witness.
    self.witnesses = defaultdict(list)
    self.roots, self.test_roots = set(), set()
    self._references()
    self._overrides()
    self._members()
    self.by_sources = self._close(self.roots)
    self.by_tests = self._close(self.roots | self.test_roots)
    # What the allow list lets pass may use others.
    self.roots |= {usr for usr in program.declarations if self._is_allowed(usr, allow_list)}
    self.by_sources = self._close(self.roots)
    self.by_tests = self._close(self.roots | self.test_roots)

  def _is_allowed(self, usr, allow_list):
    """Whether an entry names a declaration that nothing reaches, or the type that tests use it of."""
    declaration = self.program.declarations.get(usr)
    if declaration is None or declaration.file.target.is_test or usr in self.by_sources:
      return False
    if allow_list.lets_pass(keys(self.program, declaration)):
      return True
    return usr in self.by_tests and self._is_allowed(self.program.parent(declaration), allow_list)

  def _references(self):
    program = self.program
    for reference in program.references:
      target = program.owner(reference.usr)
      container = program.owner(reference.container) if reference.container else None
      if reference.file.target.is_test:
        self.test_roots.add(target)
      if container in program.declarations:
        if container != target:
          self.edges[container].add(target)
      elif not reference.file.target.is_test:
        self.roots.add(target)

  def _overrides(self):
    """A witness is reached with its type; that of an own protocol only when the requirement is reached too."""
    program = self.program
    for witness, requirement, conforming in program.overrides:
      declaration = program.declarations.get(witness)
      holder = conforming or (declaration and program.parent(declaration))
      if requirement not in program.declarations:
        self._follow(holder, witness)
      elif holder in program.declarations:
        self.witnesses[requirement].append((holder, witness))
        self.witnesses[holder].append((requirement, witness))
      else:
        self.edges[requirement].add(witness)

  def _follow(self, holder, usr):
    """Reached when `holder` is; always where that is another package's."""
    if holder is None or holder not in self.program.declarations:
      self.roots.add(usr)
    else:
      self.edges[holder].add(usr)

  def _members(self):
    program = self.program
    raw_decoded = {
      reference.usr for reference in program.references
      if reference.usr.endswith("tcfc") and "8rawValue" in reference.usr}
    every_case = any(usr.startswith("s:SY") for usr in raw_decoded)
    for usr, declaration in program.declarations.items():
      parent = program.parent(declaration)
      if declaration.kind == "extension":
        self._follow(program.extensions.get(usr), usr)
        continue
      if parent:
        self.edges[usr].add(parent)
      conformances = program.conformances(parent) if parent and declaration.kind in ("case", "property", "enum") else ()
      if declaration.kind == "case":
        is_raw = any(reference.startswith(parent) for reference in raw_decoded)
        if is_raw or every_case or not _EVERY_CASE.isdisjoint(conformances):
          self.edges[parent].add(usr)
      elif declaration.kind == "property" and declaration.is_stored and not _CODABLE.isdisjoint(conformances):
        self.edges[parent].add(usr)
      elif declaration.kind == "enum" and declaration.name == "CodingKeys":
        self._follow(parent, usr)
      elif declaration.name.split("(")[0] in _IMPLIED_NAMES or declaration.name in _IMPLIED_NAMES:
        self._follow(parent, usr)
      if declaration.language != SWIFT:
        if self._is_constructor(declaration):
          self.roots.add(usr)
      elif declaration.kind in ("struct", "enum", "class"):
        if "@main" in self.texts(declaration.file.path).modifiers(declaration.line, declaration.column):
          self.roots.add(usr)
          self.roots.update(child.usr for child in program.children[usr] if child.name == "main()")

  def _is_constructor(self, declaration):
    """Whether a C function runs before `main`."""
    lines = self.program.package.read(declaration.file.path).split("\n")
    return "constructor" in "".join(lines[max(0, declaration.line - 2) : declaration.line])

  def _close(self, roots):
    reached, waiting = set(roots), list(roots)
    while waiting:
      usr = waiting.pop()
      following = {witness for other, witness in self.witnesses.get(usr, ()) if other in reached}
      following |= self.edges.get(usr, set())
      waiting.extend(following - reached)
      reached |= following
    return reached


def keys(program, declaration):
  """How the allow list may name a declaration: with its argument labels, for all its overloads, or by USR."""
  name = f"{declaration.file.target.name}.{program.name(declaration)}"
  return name, name.split("(")[0], declaration.usr


def check(program, texts, reach):
  by_place = defaultdict(list)
  for declaration in program.declarations.values():
    # A macro like _GNU_SOURCE is for the system's headers.
    is_reserved = declaration.kind == "macro" and declaration.name.startswith("_")
    if declaration.kind not in _NOT_NAMED and declaration.name and not is_reserved:
      by_place[declaration.place].append(declaration)
  users = _Users(program, texts, reach)
  for copies in by_place.values():
    declaration = copies[0]
    if declaration.file.target.is_test:
      text = _unused_in_tests(program, texts, users, declaration)
    else:
      text = _unused(program, reach, users, copies) or _unread(program, reach, users, copies)
    if text:
      yield Finding(declaration.file.path, declaration.line, text, keys(program, declaration))
  yield from _unused_in_shims(program)


def _unused_in_shims(program):
  """Functions in the header of a system library, which the compiler does not index."""
  referred = {
    usr.rsplit("@", 1)[-1] for symbols in program.symbols.values() for usr in symbols if usr.startswith("c:")}
  targets = program.package.targets.values()
  for path in program.package.files:
    target = next((target for target in targets if path.startswith(target.path + os.sep)), None)
    if target is None or target.type != "system" or not path.endswith(".h"):
      continue
    text = program.package.read(path)
    for found in _INLINE_FUNCTION.finditer(text):
      name = found.group(1)
      if name not in referred and len(re.findall(rf"\b{name}\b", text)) == 1:
        line = text.count("\n", 0, found.start(1)) + 1
        yield Finding(path, line, f"nothing uses function {name}: remove it", (f"{target.name}.{name}",))


class _Users:
  """Who refers to a declaration, and who reads it."""

  def __init__(self, program, texts, reach):
    self.by_usr = defaultdict(set)
    for container, targets in reach.edges.items():
      for target in targets:
        self.by_usr[target].add(container)
    self.read_by_sources, self.read_by_tests, self.referred = set(), set(), set()
    for reference in program.references:
      target = program.owner(reference.usr)
      if reference.is_read or (not reference.is_written and self._is_bound(program, texts, reference)):
        (self.read_by_tests if reference.file.target.is_test else self.read_by_sources).add(target)
      if reference.container is None or program.owner(reference.container) != target:
        self.referred.add(target)
    self.witnesses = {witness: requirement for witness, requirement, _ in program.overrides}

  @staticmethod
  def _is_bound(program, texts, reference):
    """Whether it is `if let name`, which reads the property of that name."""
    declaration = program.declarations.get(reference.usr)
    if declaration is None or not declaration.is_stored:
      return False
    text = texts(reference.file.path)
    end = text.offset(reference.line, reference.column)
    return re.search(r"\b(let|var)\s+$", text.code[max(0, end - 12) : end]) is not None


def _unused(program, reach, users, copies):
  """What to say of a declaration in Sources that nothing there reaches."""
  if any(copy.usr in reach.by_sources for copy in copies):
    return None
  declaration = copies[0]
  only_tests = any(copy.usr in reach.by_tests for copy in copies)
  parent = program.parent(declaration)
  said_of_type = parent in program.declarations and parent not in reach.by_sources and (
    only_tests or parent not in reach.by_tests)
  if said_of_type or users.witnesses.get(declaration.usr) in program.declarations:
    # The finding on the type or on the protocol's requirement says it of this one too.
    return None
  what = f"{declaration.kind} {program.name(declaration)}"
  if only_tests:
    return f"only tests use {what}: move it to them, remove it with its tests, or allow it"
  containers = {
    program.name(program.declarations[usr]) for copy in copies for usr in users.by_usr[copy.usr]
    if usr in program.declarations and program.parent(program.declarations[usr]) != copy.usr}
  if containers:
    return f"only {min(containers)} uses {what}, and nothing uses that: remove both"
  return f"nothing uses {what}: remove it"


def _unread(program, reach, users, copies):
  """What to say of a stored property or variable in Sources that is set and no more."""
  declaration = copies[0]
  if declaration.kind not in ("property", "variable") or not declaration.is_stored:
    return None
  if declaration.usr in users.witnesses or any(copy.usr in users.read_by_sources for copy in copies):
    return None
  parent = program.parent(declaration)
  conformances = program.conformances(parent) if parent else set()
  compares = any(child.name.startswith("==") for child in program.children[parent])
  if conformances & _CODABLE or (conformances & _COMPARED and not compares):
    # What the compiler writes for these protocols reads it.
    return None
  what = f"{declaration.kind} {program.name(declaration)}"
  if any(copy.usr in users.read_by_tests for copy in copies):
    return f"only tests read {what}: remove it, or allow it"
  return f"nothing reads {what}, it is only set: remove it, or allow it"


def _unused_in_tests(program, texts, users, declaration):
  if declaration.usr in users.referred or declaration.usr in users.witnesses or declaration.language != SWIFT:
    return None
  if declaration.name in _IMPLIED_NAMES or declaration.name == "main()":
    return None
  words = texts(declaration.file.path).modifiers(declaration.line, declaration.column)
  if "@Test" in words or "@Suite" in words or "@main" in words or _has_tests(program, texts, declaration):
    return None
  return f"nothing uses {declaration.kind} {program.name(declaration)}: remove it"


def _has_tests(program, texts, declaration):
  """A type is a suite when it has tests, marked or not; what it is made by is called by the library."""
  if declaration.kind == "initialiser":
    return program.parent(declaration) in program.declarations and _has_tests(
      program, texts, program.declarations[program.parent(declaration)])
  return any(
    "@Test" in texts(child.file.path).modifiers(child.line, child.column) or _has_tests(program, texts, child)
    for child in program.children[declaration.usr] if child.kind != "extension" and child.language == SWIFT)
