"""What the index doesn't tell of a Swift file: where comments, heads and bodies of declarations are."""
import re

IMPORT = re.compile(
  r"^\s*(?:@\w+(?:\(\w+\))?\s+|(?:public|package|internal|private|fileprivate)\s+)*"
  r"import\s+(?:(?:struct|class|enum|protocol|typealias|func|var|let)\s+)?(\w+)", re.M)
_OPENING = re.compile(r'`[^`\n]+`|//[^\n]*|/\*|#*"""|#*"')
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_MODIFIERS = re.compile(
  r"(?:(?:@\w+(?:\((?:[^()]|\([^()]*\))*\))?"
  r"|(?:public|package|private|fileprivate|internal|open|nonisolated)(?:\(\w+\))?"
  r"|static|class|final|mutating|nonmutating|override|convenience|required|lazy|weak|unowned|indirect|prefix|postfix"
  r"|infix"
  r"|consuming|borrowing|dynamic|isolated|func|var|let|struct|enum|protocol|actor|typealias|case|macro|extension)\s+)*")
_FUNCTION = re.compile(
  r"\b(?:func\s+(`[^`]+`|\w+|[^\s\w(`]+)|(init)[?!]?(?=\s*[(<])|(subscript)(?=\s*[(<])|(deinit)(?=\s*\{))")


def _blank(text, start, end, out):
  """Puts spaces in the place of what is no code, and keeps the ends of lines."""
  out.append("\n".join(" " * len(line) for line in text[start:end].split("\n")))


def code_of(text):
  """The text with spaces in the place of comments and of what string literals hold; interpolated code stays."""
  out = []
  _scan(text, 0, out, interpolated=False)
  return "".join(out)


def _scan(text, position, out, interpolated):
  """Copies code from `position` to the end, or to what closes an interpolation; returns where that is."""
  depth = 0
  while True:
    found = _OPENING.search(text, position)
    limit = found.start() if found else len(text)
    if interpolated:
      for at in range(position, limit):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth < 0:
          out.append(text[position:at])
          return at
    out.append(text[position:limit])
    if not found:
      return limit
    opening = found.group()
    if opening.startswith("`"):
      out.append(opening)
      position = found.end()
    elif opening.startswith("//"):
      _blank(text, limit, found.end(), out)
      position = found.end()
    elif opening == "/*":
      position = _comment_end(text, found.end())
      _blank(text, limit, position, out)
    else:
      position = _scan_string(text, found.end(), opening, out)


def _comment_end(text, position):
  depth = 1
  while depth:
    edge = _COMMENT_EDGE.search(text, position)
    if not edge:
      return len(text)
    depth += 1 if edge.group() == "/*" else -1
    position = edge.end()
  return position


def _scan_string(text, position, opening, out):
  """Blanks a string literal whose `opening` ends at `position`; returns where the literal ends."""
  hashes = opening.count("#")
  quotes = opening.lstrip("#")
  out.append(opening)
  escape = "\\" + "#" * hashes
  closing = quotes + "#" * hashes
  escaped = r"\\." if hashes == 0 else r"(?!)"
  edge = re.compile(rf"{re.escape(escape)}\(|{escaped}|{re.escape(closing)}", re.S)
  while True:
    found = edge.search(text, position)
    if not found or (len(quotes) == 1 and "\n" in text[position:found.start()]):
      # No literal after all.
      return position
    _blank(text, position, found.start(), out)
    if found.group() == closing:
      out.append(found.group())
      return found.end()
    if not found.group().endswith("("):
      _blank(text, found.start(), found.end(), out)
      position = found.end()
      continue
    out.append(" " * (len(escape)) + "(")
    position = _scan(text, found.end(), out, interpolated=True)
    if position == len(text):
      return position
    out.append(")")
    position += 1


class SwiftText:
  """A Swift file; lines and columns count from 1, columns in bytes of UTF-8 as the index counts them."""

  def __init__(self, path):
    with open(path, encoding="utf-8") as file:
      self.text = file.read()
    self.path = path
    self.code = code_of(self.text)
    self.lines = self.text.split("\n")
    self.starts = [0]
    for line in self.lines:
      self.starts.append(self.starts[-1] + len(line) + 1)

  def offset(self, line, column):
    """Where a place of the index is in the text."""
    text = self.lines[line - 1]
    if not text.isascii():
      column = len(text.encode()[: column - 1].decode(errors="replace")) + 1
    return self.starts[line - 1] + column - 1

  def line_of(self, offset):
    low, high = 0, len(self.lines)
    while high - low > 1:
      middle = (low + high) // 2
      low, high = (middle, high) if self.starts[middle] <= offset else (low, middle)
    return low + 1

  def modifiers(self, line, column):
    """What stands before the name of a declaration: attributes, modifiers and keyword."""
    end = self.offset(line, column)
    start = max(self.starts[line - 1], *(self.code.rfind(mark, 0, end) + 1 for mark in "{};"))
    found = _MODIFIERS.fullmatch(self.code[start:end].lstrip())
    if not found:
      return ""
    words = found.group()
    # Attributes may stand in lines of their own.
    while start == self.starts[line - 1] and line > 1:
      line -= 1
      start = self.starts[line - 1]
      before = self.code[start : self.starts[line]].strip()
      if not before.startswith("@") or not _MODIFIERS.fullmatch(before + " "):
        break
      words = before + " " + words
    return words

  def head(self, line, column):
    """The offsets of a declaration's name and of where its body begins, or else its statement ends."""
    start = self.offset(line, column)
    code, depth, at = self.code, 0, start
    while at < len(code):
      c = code[at]
      if c in "([":
        depth += 1
      elif c in ")]":
        depth -= 1
        if depth < 0:
          break
      elif depth == 0 and c == "{":
        break
      elif depth == 0 and c == "\n" and not self._goes_on(start, at):
        break
      at += 1
    return start, at

  def _goes_on(self, start, at):
    before = self.code[start:at].rstrip()
    after = self.code[at : at + 400].lstrip()
    return before.endswith((",", "->", ":", "=", "&", "where", "throws")) or bool(
      re.match(r"(->|where\b|throws\b|async\b|\{|[?:.&|+*/<>=-])", after))

  def body_end(self, opening):
    """The offset of the brace that closes the one at `opening`."""
    depth = 0
    for found in re.compile(r"[{}]").finditer(self.code, opening):
      depth += 1 if found.group() == "{" else -1
      if depth == 0:
        return found.start()
    return len(self.code) - 1

  def functions(self):
    """Every function with a body: (name, line of its first word, line of its closing brace)."""
    for found in _FUNCTION.finditer(self.code):
      if found.group(2) and self.code[: found.start()].rstrip()[-1:] in (".", ""):
        continue
      line = self.line_of(found.start())
      column = found.start() - self.starts[line - 1] + 1
      _, end = self.head(line, len(self.lines[line - 1][: column - 1].encode()) + 1)
      if self.code[end : end + 1] == "{":
        yield next(name for name in found.groups() if name), line, self.line_of(self.body_end(end))
