#!/usr/bin/env python3
"""Manual pages from what the program says of itself: slipring --experimental-dump-help | make-man.py FOLDER VERSION

One page a command, as slipring-recon(1); SOURCE_DATE_EPOCH is their date.
"""
import json
import os
import sys
import time

# Why the program ends as it does; sysexits.h has the numbers.
EXITS = [
  (0, "The run came to its end."), (64, "The command was used wrongly."), (65, "The content of the input is wrong."),
  (66, "An input file is missing or unreadable."), (69, "What is asked for is not running, or cannot be had."),
  (70, "A bug, or a stage that died too often."), (71, "The operating system refused something."),
  (73, "No room in memory or on disk, or a folder that is taken."), (74, "Reading or writing failed."),
  (75, "Somebody stopped it; it can go on."), (77, "Not allowed."), (78, "The scan file is wrong."),
]


def text(words):
  """Words as roff has them: no sign of it is taken for an order."""
  signs = {"\\": "\\e", "-": "\\-", "~": "\\(ti", "^": "\\(ha", "'": "\\(aq", "`": "\\(ga"}
  escaped = "".join(signs.get(sign, sign) for sign in words)
  return "\n".join("\\&" + line if line.startswith(".") else line for line in escaped.split("\n"))


def shown(items):
  return [item for item in items or [] if item.get("shouldDisplay", True)]


def spelled(argument):
  """All names of an option with its value, or the name of an argument."""
  value = argument.get("valueName", "value")
  if argument["kind"] == "positional":
    return f"\\fI{text(value)}\\fR"
  names = [("--" if name["kind"] == "long" else "-") + name["name"] for name in argument["names"]]
  words = ", ".join(f"\\fB{text(name)}\\fR" for name in names)
  return words + (f" \\fI{text(value)}\\fR" if argument["kind"] == "option" else "")


def summary(argument):
  if argument["kind"] == "positional":
    word = spelled(argument) + (" ..." if argument.get("isRepeating") else "")
    return f"[{word}]" if argument.get("isOptional") else word
  return spelled(argument)


def described(argument):
  words = " ".join((argument.get(key) or "").replace("\n", " ") for key in ("abstract", "discussion")).strip()
  default = argument.get("defaultValue")
  return text(words + (f" (default: {default})" if default and "(default:" not in words else ""))


def page(path, command, folder, version, date):
  name = "-".join(path)
  lines = [
    f'.TH "{text(name.upper())}" 1 {date} "slipring {version}" "User Commands"', ".nh", ".ad l", ".SH NAME",
    f"{text(name)} \\- {text((command.get('abstract') or '').rstrip('.'))}", ".SH SYNOPSIS",
  ]
  arguments, commands = shown(command.get("arguments")), shown(command.get("subcommands"))
  commands = [other for other in commands if other["commandName"] != "help"]
  needed = [one for one in arguments if one["kind"] == "positional" or not one.get("isOptional", True)]
  optional = "" if len(needed) == len(arguments) else " [options]"
  words = " ".join(f"\\fB{text(word)}\\fR" for word in path)
  words += (" \\fIcommand\\fR" if commands else "") + optional
  lines.append(words + "".join(" " + summary(one) for one in needed))
  if command.get("discussion"):
    lines.append(".SH DESCRIPTION")
    lines += [text(part.strip()) or ".PP" for part in command["discussion"].split("\n")]
  section = None
  for argument in sorted(arguments, key=lambda one: one["kind"] != "positional"):
    title = argument.get("sectionTitle") or ("arguments" if argument["kind"] == "positional" else "options")
    if title != section:
      section = title
      lines.append(f".SH {text(title.upper())}")
    lines += [".TP", spelled(argument), described(argument) or "\\&"]
  if commands:
    lines.append(".SH COMMANDS")
    for other in commands:
      lines += [".TP", f".BR {text('-'.join([*path, other['commandName']]))} (1)", text(other.get("abstract") or "")]
  lines.append(".SH EXIT STATUS")
  for code, why in EXITS:
    lines += [".TP", str(code), text(why)]
  above = f".BR {text('-'.join(path[:-1]))} (1),\n" if len(path) > 1 else ""
  lines += [".SH SEE ALSO", above + "/usr/share/doc/slipring/Docs.docc/Start.md"]
  with open(os.path.join(folder, f"{name}.1"), "w", encoding="utf-8") as file:
    file.write("\n".join(lines) + "\n")
  for other in commands:
    page([*path, other["commandName"]], other, folder, version, date)


def main():
  folder, version = sys.argv[1:]
  date = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", "0"))))
  top = json.load(sys.stdin)["command"]
  page([top["commandName"]], top, folder, version, date)


main()
