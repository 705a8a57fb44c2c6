#!/usr/bin/env python3
"""A manual page and bash's completion of a program, from what its --help says.

Usage: describe.py PROGRAM FOLDER   writes FOLDER/NAME.1 and FOLDER/NAME
"""

import os
import re
import subprocess
import sys

program, folder = sys.argv[1:]
name = os.path.basename(program)


def help_of(*command):
    return subprocess.run([program, *command, "--help"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def commands_in(text):
    listed = re.search(r"(?ms)^Subcommands:\n(.*?)\n\n", text)
    return re.findall(r"(?m)^  (\S+)", listed.group(1)) if listed else []


def flags_in(text):
    return sorted(set(re.findall(r"(?m)^  (?:-\w,)?(--[a-z0-9-]+)", text)))


def roff(text):
    """As it stands; roff takes dots and quotes at a line's start, and hyphens, for its own."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def manual(texts):
    first = texts[""].splitlines()[0].rstrip(".:")
    lines = [f'.TH {name.upper()} 1 "" "groupmamba-serve"', ".SH NAME",
             f"{roff(name)} \\- {roff(first[0].lower() + first[1:])}"]
    for command, text in texts.items():
        lines += [f".SH {(name + ' ' + command).strip().upper()}", ".nf", roff(text.strip()), ".fi"]
    return "\n".join(lines) + "\n"


def completion(texts):
    function = "_" + name.replace("-", "_")
    cases = "".join(f"    {command or '*'}) words='{' '.join(flags_in(text))}' ;;\n"
                    for command, text in sorted(texts.items(), reverse=True))
    return f"""# bash completion for {name}, made from its --help
{function}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} words command=
  [ "$COMP_CWORD" -gt 1 ] && command=${{COMP_WORDS[1]}}
  case $command in
{cases}  esac
  [ "$COMP_CWORD" -eq 1 ] && words+=' {' '.join(c for c in texts if c)}'
  COMPREPLY=()
  case $word in
    -*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
    *) [ "$COMP_CWORD" -eq 1 ] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
  esac
}}
complete -o default -F {function} {name}
"""


texts = {"": help_of()}
for subcommand in commands_in(texts[""]):
    texts[subcommand] = help_of(subcommand)
for path, content in ((name + ".1", manual(texts)), (name, completion(texts))):
    with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
        file.write(content)
