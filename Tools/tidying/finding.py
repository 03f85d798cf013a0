"""What the checks report, and what Tools/tidy.allow lets pass."""
import re
from collections import namedtuple

Finding = namedtuple("Finding", "path line text keys")
"""`keys` are the names by which the allow list can let it pass, the plainest first."""

_ENTRY = re.compile(r"(?P<key>\S.*?)(?:\s{2,}(?P<reason>\S.*))?$")


class AllowList:
  """Names of findings that are meant to be, each with its reason."""

  def __init__(self, path, text):
    self.path, self.entries, self.mistakes, self.used = path, {}, [], set()
    for number, line in enumerate(text.split("\n"), 1):
      line = line.strip()
      if not line or line.startswith("#"):
        continue
      entry = _ENTRY.match(line)
      if entry["reason"]:
        self.entries[entry["key"]] = number
      else:
        self.mistakes.append(Finding(path, number, f"{entry['key']} has no reason: write it after two spaces", ()))

  def lets_pass(self, keys):
    """Whether an entry has one of the keys; it counts as used from then on."""
    matching = [key for key in keys if key in self.entries]
    self.used.update(matching)
    return bool(matching)

  def unused(self):
    """Findings on the list itself: entries without reason or use."""
    return self.mistakes + [
      Finding(self.path, number, f"{key} matches no finding any more: remove the line", ())
      for key, number in self.entries.items() if key not in self.used]
