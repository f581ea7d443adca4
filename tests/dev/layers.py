#!/usr/bin/python3
"""layers — who includes whom, and whether every arrow points the allowed way.

Fails on: an include cycle, a process folder that includes another, a room of common/ that includes one not to its
right, a file above 600 lines, a function above 60; the last two below tests/, too.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROCESSES = ("control", "lookup", "smtpd", "queue", "relay", "mda")
ROOMS = {
    "proc": {"wire", "conf", "net", "ipc", "event", "base"},
    "wire": {"ipc", "mail", "base"},
    "net": {"event", "base"},
    "ipc": {"event", "base"},
    "smtp": {"mail", "base"},
    "conf": {"net", "ipc", "mail", "base"},
    "mail": {"base"},
    "event": {"base"},
    "base": set(),
}
FILE_LINES = 600
FUNCTION_LINES = 60

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def sources():
    for folder in ("common",) + PROCESSES:
        yield from sorted((ROOT / folder).rglob("*.[ch]"))


def tests():
    """They include whom they like; their length is measured."""
    yield from sorted(path for ending in ("[ch]", "py", "sh") for path in (ROOT / "tests").rglob("*." + ending))


def resolve(including, name):
    """The file that the compiler would take for an include, or None for a generated one."""
    for base in (including.parent, ROOT / "common", ROOT):
        path = base / name
        if path.is_file():
            return path.resolve()
    return None


def place(path):
    """common/net/answer.c lies in the room "net", queue/store/ring.c in the process "queue"."""
    parts = path.relative_to(ROOT).parts
    return parts[1] if parts[0] == "common" else parts[0]


def arrow_is_wrong(source, target):
    if source == target:
        return False
    if source in PROCESSES:
        return target in PROCESSES
    return target in PROCESSES or target not in ROOMS.get(source, set())


def cycle(graph):
    """One include cycle as a list of files, or an empty list. Depth first, with the way here on a stack."""
    done, way = set(), []

    def visit(node):
        if node in way:
            return way[way.index(node):] + [node]
        if node in done:
            return []
        way.append(node)
        for following in sorted(graph.get(node, ())):
            found = visit(following)
            if found:
                return found
        way.pop()
        done.add(node)
        return []

    for node in sorted(graph):
        found = visit(node)
        if found:
            return found
    return []


def long_functions(path, text):
    """The house's look puts the braces of a function into column 0, and nothing else's but a table's or a struct's."""
    began = None
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line == "{":
            began = number
        elif line == "}" and began is not None:
            if number - began - 1 > FUNCTION_LINES:
                yield f"{path.relative_to(ROOT)}:{began}: a function of {number - began - 1} lines (at most {FUNCTION_LINES})"
            began = None


def too_long(path, text):
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path.relative_to(ROOT)}: {lines} lines (at most {FILE_LINES})"
    if path.suffix in (".c", ".h"):
        yield from long_functions(path, text)


def survey():
    arrows, graph, bad = {}, {}, []
    for path in tests():
        bad += too_long(path, path.read_text(errors="replace"))
    for path in sources():
        text = path.read_text(errors="replace")
        bad += too_long(path, text)
        for name in INCLUDE.findall(text):
            target = resolve(path, name)
            if target is None or ROOT not in target.parents:
                continue
            graph.setdefault(path, set()).add(target)
            pair = place(path), place(target)
            if pair[0] != pair[1]:
                arrows[pair] = arrows.get(pair, 0) + 1
            if arrow_is_wrong(*pair):
                bad.append(f"{path.relative_to(ROOT)}: includes {name}: {pair[0]} may not reach into {pair[1]}")
    return arrows, graph, bad


def show(arrows):
    for source in list(PROCESSES) + list(ROOMS):
        targets = sorted(target for origin, target in arrows if origin == source)
        print(f"{source:8} -> {' '.join(targets)}")


def main():
    arrows, graph, bad = survey()
    if "--show" in sys.argv:
        show(arrows)
    ring = cycle(graph)
    if ring:
        bad.append("a cycle: " + " -> ".join(str(path.relative_to(ROOT)) for path in ring))
    for line in bad:
        print(line)
    if not bad:
        print("every arrow points one way; no cycle; no long file or function")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
