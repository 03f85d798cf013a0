"""Figures of each target: how much is public, and how densely it is asserted."""
import re
from collections import Counter, defaultdict

_ASSERTIONS = ("precondition", "preconditionFailure", "assert", "assertionFailure", "fatalError")
_CALL = re.compile(r"\b(" + "|".join(_ASSERTIONS) + r")\(")
_GUARD_THROW = re.compile(r"\belse\s*\{\s*throw\b")


def table(program, texts, wide):
  """A Markdown table with a row for each Swift target in Sources; files that several targets compile count once."""
  widths, lines, asserts, guards, seen = defaultdict(Counter), Counter(), defaultdict(Counter), Counter(), set()
  for usr, width in wide.items():
    declaration = program.declarations[usr]
    if declaration.place not in seen:
      seen.add(declaration.place)
      widths[declaration.file.target.name][width] += 1
  for file in program.files:
    name = file.target.name
    if file.target.is_test or not file.path.endswith(".swift") or file.path in seen:
      continue
    seen.add(file.path)
    text = texts(file.path)
    lines[name] += len(text.lines) - 1
    asserts[name].update(_CALL.findall(text.code))
    guards[name] += len(_GUARD_THROW.findall(text.code))
  rows = [_row(name, lines[name], widths[name], asserts[name], guards[name]) for name in sorted(lines)]
  totals = [sum(counts.values(), Counter()) for counts in (widths, asserts)]
  rows.append(_row("all", sum(lines.values()), *totals, sum(guards.values())))
  heads = (
    "target", "lines", "public", "package", "precondition", "…Failure", "assert", "fatalError", "guard throws",
    "asserts a 1,000 lines")
  return "\n".join([_line(heads), _line(["---"] + ["---:"] * (len(heads) - 1))] + [_line(row) for row in rows])


def _row(name, lines, widths, asserts, guards):
  density = 1000 * sum(asserts.values()) / lines if lines else 0
  return (
    name, lines, widths["public"] + widths["open"], widths["package"], asserts["precondition"],
    asserts["preconditionFailure"], asserts["assert"] + asserts["assertionFailure"], asserts["fatalError"], guards,
    f"{density:.1f}")


def _line(cells):
  return "| " + " | ".join(str(cell) for cell in cells) + " |"
