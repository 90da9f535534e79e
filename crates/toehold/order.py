"""Writes the linker script that lays the functions which were run side by side.

    order.py PROGRAM MAP TRACE... -- TRACE...

MAP is what the linker (LLD) wrote when it made PROGRAM, a TRACE what callgrind noted down of a run of
it, with the address of each instruction and without any compression. The traces before `--` are one
kind of process, those behind it another one: what both of them run comes first, then what only the
first kind runs, then what only the second one does.
"""

import bisect
import os
import re
import sys

HEAD = """\
/* Written by script/order, which says what it is for. Functions that an agent or a proxy runs, by the
   name of the section each stands in; `*` stands for what is another one in each build. */
SECTIONS
{
  .text.run : {
"""
TAIL = """\
  }
}
INSERT BEFORE .text;
"""

# A section of the map: address, size, and in which file it came under which name.
SECTION = re.compile(r"^ *([0-9a-f]+) +[0-9a-f]+ +([0-9a-f]+) +\d+ {9}(\S.*):\((\.text\S*)\)$")


def sections(path):
    """The sections with code, by address."""
    with open(path) as lines:
        found = filter(None, map(SECTION.match, lines))
        return sorted((int(it[1], 16), int(it[2], 16), it[3], it[4]) for it in found)


def executed(path, program):
    """The addresses of the instructions of the program that were run."""
    ours, run = False, set()
    with open(path) as lines:
        for line in lines:
            if line.startswith("ob="):
                ours = os.path.realpath(line[3:].strip()) == program
            elif ours and line.startswith("0x"):
                run.add(int(line.split(" ", 1)[0], 16))
    return run


def pattern(file, section):
    """How the linker is told of a section."""
    if section == ".text":
        # Assembly has no section for each function: its file is named, without the hash before it.
        member = re.search(r"\((?:[0-9a-f]+-)?([^()]+)\)$", file)
        return f"*{member[1]}(.text)" if member else None
    # What tells crates of one name apart, and what counts characters where that stands.
    name = re.sub(r"Cs[0-9A-Za-z]+_(?=\d)", "Cs*_", section)
    name = re.sub(r"B[0-9A-Za-z]{0,2}_", "B*_", name)
    return f"*({name})"


def patterns(traces, program, known):
    """How the linker is told of all sections that were run in any of the traces."""
    starts = [it[0] for it in known]
    found = set()
    for address in set().union(*(executed(it, program) for it in traces)):
        at = bisect.bisect_right(starts, address) - 1
        start, size, file, section = known[at]
        if start <= address < start + size:
            found.add(pattern(file, section))
    return found - {None}


def main():
    program, path, *rest = sys.argv[1:]
    split = rest.index("--")
    known = sections(path)
    first, second = (
        patterns(it, os.path.realpath(program), known) for it in (rest[:split], rest[split + 1 :])
    )
    if not first or not second:
        sys.exit("error: the traces and the map are not of the same program")
    lines = sorted(first & second) + sorted(first - second) + sorted(second - first)
    print(HEAD + "".join(f"    {it}\n" for it in lines) + TAIL, end="")


main()
