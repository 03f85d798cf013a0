"""Lines, functions and files that are too long."""
import os
import re

from .finding import Finding

COLUMNS = 120
FUNCTION_LINES = 60
FILE_LINES = 400

_ENDINGS = {".swift", ".c", ".h", ".cpp", ".py", ".sh", ".css", ".js", ".html", ".yml", ".yaml", ".md", ".modulemap"}
# A line of one word: an address cannot be broken.
_ONE_WORD = re.compile(r"\s*(?:(?:///?|#|[-*>])\s*)?\S+\s*$")
# Markdown: a row of a table, or nothing but links and pictures.
_TABLE_ROW = re.compile(r"\s*\|")
_LINKS = re.compile(r"\s*(?:[-*]\s+|\d+\.\s+)?(?:!?\[(?:[^\[\]]|\[[^\]]*\])*\](?:\([^)]*\)|:\s*\S+)[\s,.;]*)+$")
_FENCE = re.compile(r"\s*(```|~~~)")


def is_script(package, path):
  """Whether a file without ending is a program or a part of one."""
  return "." not in os.path.basename(path) and package.read(path).startswith("#")


def check_columns(package):
  for path in package.files:
    ending = os.path.splitext(path)[1]
    if ending not in _ENDINGS and not (ending == "" and path.startswith("Tools/") and is_script(package, path)):
      continue
    is_markdown, is_fenced = ending == ".md", False
    for number, line in enumerate(package.read(path).split("\n"), 1):
      if is_markdown and _FENCE.match(line):
        is_fenced = not is_fenced
      if len(line) <= COLUMNS or _ONE_WORD.match(line):
        continue
      if is_markdown and (is_fenced or _TABLE_ROW.match(line) or _LINKS.match(line)):
        continue
      yield Finding(path, number, f"{len(line)} columns, {COLUMNS} are allowed: break the line", ())


def check_lengths(package, texts):
  for path in package.files:
    if not path.endswith(".swift") or path == "Package.swift":
      continue
    swift = texts(path)
    count = len(swift.lines) - 1
    if path.startswith("Sources/") and count > FILE_LINES:
      yield Finding(path, 1, f"{count} lines, {FILE_LINES} are allowed: give each of its subjects a file", (path,))
    for name, first, last in swift.functions():
      if last - first + 1 > FUNCTION_LINES:
        text = f"{name} has {last - first + 1} lines, {FUNCTION_LINES} are allowed: cut it up"
        yield Finding(path, first, text, (f"{path} {name}",))
