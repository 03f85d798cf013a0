"""Files that are empty, belong to nothing, or are named nowhere."""
import os
import re

from .finding import Finding
from .swift_text import IMPORT as SWIFT_IMPORT

_C_COMMENT = r"/\*.*?\*/|//[^\n]*"
_SHELL_COMMENT = r"#[^\n]*"
# What says nothing in a file, by its ending.
_IDLE = {
  ".c": _C_COMMENT, ".h": _C_COMMENT + "|#pragma once", ".cpp": _C_COMMENT, ".js": _C_COMMENT, ".css": r"/\*.*?\*/",
  ".html": r"<!--.*?-->", ".md": r"<!--.*?-->", ".py": _SHELL_COMMENT + r"|^\s*(?:from\s[^\n]*)?import\s[^\n]*",
  ".sh": _SHELL_COMMENT, "": _SHELL_COMMENT,
}
_CHECKED = {*_IDLE, ".swift", ".png", ".svg", ".jpg"} - {""}
_TEXTS = {*_IDLE, ".swift", ".modulemap", ".yml", ".yaml", ".conf", ".service"}


def check(package, texts):
  contents = {path: package.read(path) for path in package.files if os.path.splitext(path)[1] in _TEXTS}
  compiled = {package.relative(path) for _, path in package.compiled()}
  for path in package.files:
    ending = os.path.splitext(path)[1]
    if "/" not in path or (ending not in _CHECKED and not (ending == "" and path.startswith("Tools/"))):
      continue
    if path in contents and _is_empty(path, ending, contents[path], texts):
      yield Finding(path, 1, "nothing but comments and imports: remove the file", (path,))
    elif ending in (".swift", ".c"):
      if path not in compiled:
        yield Finding(path, 1, "in no target: add it to one, or remove it", (path,))
    else:
      missing = _unnamed(package, path, ending, contents)
      if missing:
        yield Finding(path, 1, missing, (path,))


def _is_empty(path, ending, text, texts):
  if ending == ".swift":
    return not SWIFT_IMPORT.sub("", texts(path).code).strip()
  return not re.sub(_IDLE[ending], "", text, flags=re.S | re.M).strip() if ending in _IDLE else False


def _unnamed(package, path, ending, contents):
  """What is missing for a file that is found by its name; None where something names it."""
  name = os.path.basename(path)
  stem = os.path.splitext(name)[0]
  others = [(other, text) for other, text in contents.items() if other != path and stem in text]
  if ending == ".md":
    if any(_links_to(other, text, path) for other, text in others if other.endswith(".md")):
      return None
    return "no page links to it: link it from the page that leads to it, or remove it"
  target = next((target for target in package.targets.values() if target.holds(os.path.join(package.root, path))), None)
  if ending in (".html", ".css", ".js") and target:
    if os.path.join(package.root, path) in target.resources:
      return None
    return "no target declares it as a resource: declare it in Package.swift, or remove it"
  if any(_name_pattern(path, name, stem, ending).search(text) for other, text in others):
    return None
  return "no other file names it: say where it belongs, or remove it"


def _name_pattern(path, name, stem, ending):
  name, stem = re.escape(name), re.escape(stem)
  if ending == ".h":
    return re.compile(rf'#include\s*[<"](?:[^">]*/)?{name}[>"]|header\s+"(?:[^"]*/)?{name}"')
  if ending == ".py":
    return re.compile(
      rf"(?<![\w-]){name}\b|^(?:from\s+[\w.]+\s+)?import\b.*\b{stem}\b|^from\s+[\w.]*\b{stem}\s+import", re.M)
  if ending == "":
    # A tool's name is a common word: it counts with its folder.
    path = re.escape("/".join(path.split("/")[-2:]))
    return re.compile(rf"(?<![\w-]){path}(?![\w-])|[)}}]\"?/{name}(?![\w-])")
  return re.compile(rf"(?<![\w-]){name}\b")


def _links_to(page, text, path):
  for link in re.findall(r"\]\(([^)#\s]+)", text):
    if os.path.normpath(os.path.join(os.path.dirname(page), link)) == path:
      return True
  # DocC's own links name a page of the same catalogue.
  stem = os.path.splitext(os.path.basename(path))[0]
  return os.path.dirname(page) == os.path.dirname(path) and f"<doc:{stem}" in text
