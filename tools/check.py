#!/usr/bin/env python3
"""Checks what the compiler does not: who may include whom, include cycles, functions nobody should call, and
libraries that print or exit. Violations fail; sizes are printed as a trend and never fail.

    tools/check.py [--sizes N]
"""
import argparse
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
SRC = TOP / "src"

# Folder -> what it may include besides itself: folders, or single headers of one ("monitor/proto.h").
LAYERS = {
    "base": "",
    "sys": "base",
    "data": "sys base",
    "schema": "data base",
    "model": "schema data base",
    "compose": "model schema data sys base",
    "oci": "data sys base",
    "state": "model data sys base network/network.h",
    "image": "oci state model data sys base",
    "network": "data sys base",
    "runtime": "oci model state data sys base monitor/proto.h monitor/status.h",
    "vm": "oci model state data sys base monitor/proto.h",
    "engine": "vm runtime network image oci state compose model schema data sys base monitor/proto.h",
    "cli": "engine vm runtime network image oci state compose model schema data sys base",
    "monitor": "sys base",
    "netd": "network data sys base",
    "imaged": "image oci data sys base",
    "init": "base/macro.h",
}
# Protocols of a program that the libraries speaking with it include.
SHARED_HEADERS = {"monitor/proto.h", "monitor/status.h"}
PROGRAMS = {"cli", "monitor", "netd", "imaged", "init"}
# These stay as long as a container does: the C library and nothing else, also through what they include.
LIBC_ONLY = {"monitor", "init"}
THIRD_PARTY = re.compile(r"(talloc|uthash|utlist|jansson|yaml|sqlite3|zstd|seccomp)\.h|"
                         r"(curl|archive|openssl|ldns|libmnl|nftables|isa-l|ext2fs)[/.]")

BANNED = {
    "strcpy strcat sprintf vsprintf gets strncpy strncat": "no bound that can be trusted; use talloc or snprintf",
    "strtok strerror_l tmpnam mktemp tempnam": "hidden state or a race",
    "atoi atol atoll atof": "errors go unseen; use the strict parsers of base/str.h",
    "alloca": "no bound on the stack",
    "system popen": "no shell; use sys/spawn.h",
    "usleep sleep": "wait for the event itself",
    "pthread_create": "no threads",
}
SPEAKS = re.compile(r"\b(printf|vprintf|puts|putchar|perror|exit|err|errx|warn|warnx|fprintf\s*\(\s*std(?:out|err)"
                    r"|fputs\s*\([^;]*\bstd(?:out|err))\b")
# The logger's sink, and the one place that ends the process when memory is gone.
MAY_SPEAK = {"base/log.c", "base/mem.c"}


def strip(text):
    """Blanks comments, strings and character constants; lines stay where they are."""
    def blank(match):
        found = match.group(0)
        return '""' if found[0] == '"' else re.sub(r"[^\n]", " ", found)
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


class Source:
    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(SRC))
        self.folder = self.name.split("/")[0]
        self.text = path.read_text()
        self.code = strip(self.text)
        self.lines = self.text.count("\n")
        self.includes = [(number, match.group(1), match.group(2))
                         for number, line in enumerate(self.text.split("\n"), 1)
                         if (match := re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line))]

    def functions(self):
        """(name, lines), by the house style's braces in the first column."""
        lines, start = self.code.split("\n"), None
        for number, line in enumerate(lines):
            if line == "{":
                start = number
            elif line.startswith("}") and start is not None:
                head = " ".join(lines[max(0, start - 6):start])
                names = re.findall(r"(\w+)\s*\(", head[head.rfind(";") + 1:])
                yield (names[0] if names else "?", number - start + 1)
                start = None


def allowed(folder, target):
    may = LAYERS[folder].split()
    return target.split("/")[0] in {folder, *may} or target in may


def check_layers(sources, report):
    for source in sources.values():
        if source.folder not in LAYERS:
            report(source.name, 1, f"folder '{source.folder}' has no row in LAYERS of tools/check.py")
            continue
        for number, kind, target in source.includes:
            if kind != '"':
                continue
            if "/" not in target:
                report(source.name, number, f'include "{target}" with its folder')
            elif not allowed(source.folder, target):
                report(source.name, number, f'{source.folder} must not include "{target}"')


def reach(sources, name, seen):
    for _, kind, target in sources[name].includes:
        if kind == '"' and target in sources and target not in seen:
            seen.add(target)
            reach(sources, target, seen)
    return seen


def check_libc_only(sources, report):
    for source in sources.values():
        if source.folder not in LIBC_ONLY:
            continue
        for name in {source.name} | reach(sources, source.name, set()):
            for _, kind, target in sources[name].includes:
                if kind == "<" and THIRD_PARTY.match(target):
                    report(source.name, 1, f"{source.folder} is libc only, and reaches <{target}> through {name}")


def knots(edges):
    """The strongly connected sets of more than one node (Tarjan's algorithm)."""
    order, low, trail, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        trail.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in order:
                visit(other)
            if other in trail:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            rest = trail[trail.index(node):]
            del trail[trail.index(node):]
            if len(rest) > 1:
                found.append(sorted(rest))

    for node in sorted(edges):
        if node not in order:
            visit(node)
    return found


def check_cycles(sources, report):
    """Headers that include each other, and folders that do."""
    headers, folders = {}, {}
    for source in sources.values():
        own = {t for _, kind, t in source.includes if kind == '"' and t in sources}
        if source.name.endswith(".h"):
            headers[source.name] = own
        folders.setdefault(source.folder, set()).update(sources[t].folder for t in own if t not in SHARED_HEADERS)
    for knot in knots(headers) + knots(folders):
        where = knot[0] if knot[0] in sources else knot[0] + "/meson.build"
        report(where, 1, "include cycle of " + ", ".join(knot))


def check_calls(sources, report):
    banned = {name: why for names, why in BANNED.items() for name in names.split()}
    call = re.compile(r"(?<![\w.>])(" + "|".join(banned) + r")\s*\(")
    for source in sources.values():
        for number, line in enumerate(source.code.split("\n"), 1):
            for match in call.finditer(line):
                report(source.name, number, f"{match.group(1)}(): {banned[match.group(1)]}")
            if re.search(r"\bgoto\b", line):
                report(source.name, number, "goto: use the cleanup attributes of base/macro.h")
            if source.folder not in PROGRAMS and source.name not in MAY_SPEAK:
                for match in re.finditer(r"(?<![\w.>])" + SPEAKS.pattern[2:], line):
                    if re.match(r"\s*\(", line[match.end():]) or "std" in match.group(0):
                        report(source.name, number, f"a library neither prints nor exits: {match.group(1)}")


def print_sizes(sources, count):
    total = sum(s.lines for s in sources.values())
    print(f"{len(sources)} files, {total} lines")
    functions = [(lines, name, s.name) for s in sources.values() for name, lines in s.functions()]
    long_ones = sum(lines > 60 for lines, _, _ in functions)
    print(f"{len(functions)} functions, {long_ones} of more than 60 lines; longest:")
    for lines, name, where in sorted(functions, reverse=True)[:count]:
        print(f"  {lines:5} {where} {name}()")
    print("longest files:")
    for lines, name in sorted(((s.lines, s.name) for s in sources.values()), reverse=True)[:count]:
        print(f"  {lines:5} {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, default=6, metavar="N", help="how many of the longest to print")
    options = parser.parse_args()
    sources = {s.name: s for s in map(Source, sorted(SRC.rglob("*.[ch]")))}
    found = []
    report = lambda name, line, text: found.append(f"src/{name}:{line}: {text}")
    for check in (check_layers, check_libc_only, check_cycles, check_calls):
        check(sources, report)
    print_sizes(sources, options.sizes)
    for row in sorted(set(found)):
        print(row)
    if found:
        sys.exit(f"check: {len(set(found))} violations")


if __name__ == "__main__":
    main()
