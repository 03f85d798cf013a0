"""Declarations that are public or package although their own target alone uses them."""
import re
from collections import defaultdict

from .finding import Finding
from .index_store import SWIFT

_WIDE = re.compile(r"\b(public|package|open)\b(?!\()")
_TESTABLE = re.compile(r"@testable\s+import\s+(\w+)")


def width(texts, declaration):
  """`public`, `package` or `open` as it is written at the declaration; None where nothing is."""
  found = _WIDE.search(texts(declaration.file.path).modifiers(declaration.line, declaration.column))
  return found and found.group(1)


def wide_declarations(program, texts):
  """Those in Sources that are marked, by USR."""
  found = {}
  for usr, declaration in program.declarations.items():
    if declaration.language == SWIFT and not declaration.file.target.is_test and declaration.kind != "extension":
      marked = width(texts, declaration)
      if marked:
        found[usr] = marked
  return found


class Needs:
  """Which declarations must be seen from outside their target."""

  def __init__(self, program, texts):
    self.program, self.texts = program, texts
    self.by_line, self.witnesses = defaultdict(list), defaultdict(list)
    for reference in program.references:
      self.by_line[reference.file, reference.line].append(reference)
    for witness, requirement, _ in program.overrides:
      declaration = program.declarations.get(witness)
      # That of another package's requirement is needed with its type.
      holder = requirement if requirement in program.declarations else declaration and program.parent(declaration)
      self.witnesses[holder].append(witness)
    self.needed = set()
    self._close(self._used_outside())

  def _used_outside(self):
    testable = {}
    for reference in self.program.references:
      target = self.program.owner(reference.usr)
      declaration = self.program.declarations.get(target)
      if declaration is None or declaration.file.target.name == reference.file.target.name:
        continue
      if reference.file.path not in testable:
        testable[reference.file.path] = set(_TESTABLE.findall(self.texts(reference.file.path).code))
      if declaration.file.target.name not in testable[reference.file.path]:
        yield target

  def _close(self, waiting):
    waiting = list(waiting)
    while waiting:
      usr = waiting.pop()
      if usr in self.needed:
        continue
      self.needed.add(usr)
      waiting.extend(self.witnesses[usr])
      declaration = self.program.declarations.get(usr)
      if declaration is None or declaration.language != SWIFT:
        continue
      parent = self.program.parent(declaration)
      if parent:
        waiting.append(parent)
      waiting.extend(self._said_in_head(declaration))
      # Cases and requirements are as wide as their type.
      waiting.extend(
        child.usr for child in self.program.children[usr] if child.kind == "case" or declaration.kind == "protocol")

  def _said_in_head(self, declaration):
    """What the signature names; of what is compiled into its callers, all that it names."""
    text = self.texts(declaration.file.path)
    first, last = text.head(declaration.line, declaration.column)
    if "@inlinable" in text.modifiers(declaration.line, declaration.column) and text.code[last : last + 1] == "{":
      last = text.body_end(last)
    for line in range(declaration.line, text.line_of(last) + 1):
      for reference in self.by_line[declaration.file, line]:
        if first <= text.offset(line, reference.column) <= last:
          yield self.program.owner(reference.usr)


def check(program, texts, reach):
  needs = Needs(program, texts)
  wide = wide_declarations(program, texts)
  by_place = defaultdict(list)
  for usr in wide:
    by_place[program.declarations[usr].place].append(usr)
  for usrs in by_place.values():
    if not needs.needed.isdisjoint(usrs) or reach.by_tests.isdisjoint(usrs):
      continue
    declaration = program.declarations[usrs[0]]
    parent = program.parent(declaration)
    if parent in wide and parent not in needs.needed:
      # The finding on the type says it of its members too.
      continue
    name = program.name(declaration)
    yield Finding(
      declaration.file.path, declaration.line,
      f"only {declaration.file.target.name} uses {wide[usrs[0]]} {declaration.kind} {name}: make it internal",
      (f"wide {declaration.file.target.name}.{name}",))
