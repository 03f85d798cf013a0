#!/usr/bin/env python3
"""copy-pages.py ROOT FOLDER PAGE…: copies pages with everything of the tree that they refer to, so that no link of an
installed page leads nowhere. Pages that are referred to come with what they refer to, too."""
import os
import re
import shutil
import sys

LINK = re.compile(r"\]\(([^)#\s]+)")


def main():
  root, folder, *waiting = sys.argv[1:]
  copied = set()
  while waiting:
    name = os.path.normpath(waiting.pop())
    source, target = os.path.join(root, name), os.path.join(folder, name)
    if name in copied or name.startswith(".."):
      continue
    if not os.path.isfile(source):
      # A folder is a place to look at in the sources.
      if os.path.isdir(source):
        continue
      sys.exit(f"copy-pages.py: {name} is referred to, and not there")
    copied.add(name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(source, target)
    if name.endswith(".md"):
      with open(source, encoding="utf-8") as page:
        links = [link for link in LINK.findall(page.read()) if "://" not in link]
      waiting += [os.path.join(os.path.dirname(name), link) for link in links]


main()
