#!/usr/bin/env python3
"""Deploy/manual.py PROGRAM > tintype.1: the manual page, from what the program says of itself.

Options, defaults and examples are those of --help; exit statuses and files are here, since no option tells them.
"""

import json
import re
import subprocess
import sys

program = sys.argv[1]
root = json.loads(subprocess.check_output([program, "--experimental-dump-help"]))["command"]
version = subprocess.check_output([program, "--version"], text=True).strip()


def roff(text):
    """Text as roff reads it: no character of it is a command, and hyphens stay hyphens."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def bold(text):
    return f"\\fB{roff(text)}\\fR"


def prose(text):
    """Paragraphs; indented lines are examples and keep their line breaks."""
    lines, example = [], False
    for line in text.split("\n"):
        if line.startswith("  ") != example:
            lines.append(".PP\n.RS 4\n.nf" if line.startswith("  ") else ".fi\n.RE")
            example = line.startswith("  ")
        lines.append(roff(line.strip()) if line.strip() else ".PP")
    if example:
        lines.append(".fi\n.RE")
    return "\n".join(lines)


def name(argument):
    if argument["kind"] == "positional":
        return f"\\fI{roff(argument['valueName'])}\\fR"
    names = [("-" if n["kind"] == "short" else "--") + n["name"] for n in argument["names"]]
    value = "" if argument["kind"] == "flag" else f" \\fI{roff(argument['valueName'])}\\fR"
    return ", ".join(map(bold, sorted(names, key=len))) + value


def arguments(command, names_seen=("help", "version")):
    shown = [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]
    return [a for a in shown if a.get("preferredName", {}).get("name") not in names_seen]


def synopsis(command, path):
    words = [bold(" ".join(path))]
    for a in arguments(command):
        if a["kind"] != "positional" and a["isOptional"]:
            continue
        words.append(name(a) + (" ..." if a["isRepeating"] else ""))
    if any(a["kind"] != "positional" and a["isOptional"] for a in arguments(command)):
        words.append("[\\fIoptions\\fR]")
    return " ".join(words)


def commands(command, path):
    if not command.get("shouldDisplay", True) or command["commandName"] == "help":
        return
    children = command.get("subcommands", [])
    if children:
        for child in children:
            yield from commands(child, path + [child["commandName"]])
    else:
        yield path, command


out = [f'.TH TINTYPE 1 "" "tintype {version}" "User Commands"', ".SH NAME", f"tintype \\- {roff(root['abstract'][0].lower() + root['abstract'][1:].rstrip('.'))}"]
out.append(".SH SYNOPSIS")
for path, command in commands(root, ["tintype"]):
    out += [synopsis(command, path), ".br"]
out += [".SH DESCRIPTION", prose(root.get("discussion", "")), ".SH COMMANDS"]
for path, command in commands(root, ["tintype"]):
    out += [f".SS {' '.join(path)}", roff(command["abstract"]), ".PP", prose(command.get("discussion", ""))]
    for a in arguments(command):
        text = a.get("abstract", "")
        if a.get("defaultValue") and "default:" not in text:
            text += f" [default: {a['defaultValue']}]"
        out += [".TP", name(a), roff(text)]
out += [".SH EXIT STATUS"]
for row in re.findall(r"^\| (\d+) \| \w+ \| ([^|]+) \|", open("Docs/exit-codes.md").read(), re.M):
    out += [".TP", bold(row[0]), roff(row[1].strip())]
out += [
    ".SH FILES",
    ".TP", "\\fI/etc/tintype/worker.env\\fR, \\fI/etc/tintype/worker\\-NAME.env\\fR", "Settings of the services, one VARIABLE=value a line.",
    ".TP", "\\fI/etc/tintype/pgpassword\\fR", "The database's password for workers, mode 0600.",
    ".TP", "\\fI/var/lib/tintype/output\\fR", "Pictures, by default.",
    ".SH SEE ALSO", ".BR psql (1),", ".BR systemd.service (5),", ".BR journalctl (1);", "the other documents in \\fI/usr/share/doc/tintype\\fR.",
]
print("\n".join(line for line in out if line))
