#!/usr/bin/python3
"""papers — what the documents say about the tree, held against the tree.

docs/TOUR.md names every C file of the processes and of common/; every path and every verb of ./dev that a document names
exists, and so does every file that a C comment names. The numbered steps of docs/SPOOL.md are those of queue/store and
queue/archive. A document
is README.md or docs/*.md.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("common", "control", "lookup", "smtpd", "queue", "relay", "mda")
TOUR = ROOT / "docs/TOUR.md"
SKIPPED = {".git", "build", "build-aux", "autom4te.cache", "__pycache__"}

# In the tour: a folder in a heading, and lists of names that lie there or beside the name in front of them.
HEADING = re.compile(r"^#+ (.*)$")
STOP = re.compile(r"^\* ((?:`[^`]+` )+)— ")

PATH = re.compile(r"(?<![\w./*<:-])[A-Za-z.][\w.*-]*(?:/[\w.*-]+)*/?")
SOURCE = re.compile(r"\w\.(c|h|py|sh|md|am|smtp)$")
ANY = re.compile(r"\*|NOUN|ROOM|NAME")       # in a path: whatever it is called
COMMENT = re.compile(r"/\*.*?\*/", re.S)
NAMED = re.compile(r"(?<![\w./<-])[a-z][\w-]*(?:/[\w.-]+)*\.(?:[ch]|py|sh|md)\b")
STEP_CODE = re.compile(r'\bSTEP\("([a-z]+-\d)"\)')
STEP_ROW = re.compile(r"^\| ([a-z]+-\d(?:, [a-z]+-\d)*) \|", re.M)
VERB = re.compile(r"\./dev ([a-z]+)")


def tree():
    """Every path of the tree, folders with a slash behind them."""
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT)
        if SKIPPED.isdisjoint(name.parts):
            yield f"{name}/" if path.is_dir() else str(name)


def partners(name):
    """A module's name stands for its header, too."""
    stem = re.sub(r"\.[ch]$", "", name)
    return {name, stem + ".c", stem + ".h"}


def stops(text, files):
    """(line number, name, path) of each name in the tour's lists; the path is None when there is no such file."""
    folder = ""
    for number, line in enumerate(text.split("\n"), 1):
        heading = HEADING.match(line)
        if heading:
            folder = next((word for word in re.split(r"[ :]+", heading.group(1)) if word in files), "")
        listed = STOP.match(line)
        place = folder
        for name in re.findall(r"`([^`]+)`", listed.group(1)) if listed else ():
            path = next((path for path in (place + name, name) if path in files), None)
            if path:
                place = path[:path.rfind("/") + 1]
            yield number, name, path


def tour_findings(files):
    seen = set()
    for number, name, path in stops(TOUR.read_text(), files):
        if path is None:
            yield f"docs/TOUR.md:{number}: {name}: no such file"
        else:
            seen |= partners(path)
    for path in sorted(files - seen):
        if path.startswith(FOLDERS) and path.endswith((".c", ".h")):
            yield f"docs/TOUR.md: {path} is on no list"


def is_there(word, files):
    """Whether a document's word is no path of ours, or one that exists; a program is named without its .c."""
    top = word.split("/")[0]
    if not SOURCE.search(word) and not ("/" in word and top + "/" in files):
        return True
    if top in SKIPPED:
        return True
    name = "[^/]*".join(re.escape(part) for part in ANY.split(word))
    return any(re.search(rf"(^|/){name}(/|\.c)?$", path) for path in files)


def paper_findings(paper, files, verbs):
    for number, line in enumerate(paper.read_text().split("\n"), 1):
        where = f"{paper.relative_to(ROOT)}:{number}"
        for word in dict.fromkeys(word.rstrip(".").removeprefix("./") for word in PATH.findall(line)):
            if not is_there(word, files):
                yield f"{where}: {word}: no such file"
        for verb in VERB.findall(line):
            if verb not in verbs:
                yield f"{where}: ./dev {verb}: no such verb"


def comment_findings(path, files):
    text = (ROOT / path).read_text(errors="replace")
    for comment in COMMENT.finditer(text):
        for named in NAMED.finditer(comment.group(0)):
            if not is_there(named.group(0), files):
                line = text.count("\n", 0, comment.start() + named.start()) + 1
                yield f"{path}:{line}: {named.group(0)}: no such file"


def step_findings(files):
    store = [path for path in files if path.startswith(("queue/store/", "queue/archive/")) and path.endswith(".c")]
    code = {step for path in store for step in STEP_CODE.findall((ROOT / path).read_text())}
    told = {step for row in STEP_ROW.findall((ROOT / "docs/SPOOL.md").read_text()) for step in row.split(", ")}
    for step in sorted(code ^ told):
        yield f"docs/SPOOL.md: step {step} is only {'in the code' if step in code else 'here'}"


def main():
    files = set(tree())
    verbs = set(re.findall(r'^\t"([a-z]+)\|', (ROOT / "dev").read_text(), re.M))
    papers = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    bad = [*tour_findings(files), *step_findings(files)]
    for paper in papers:
        bad += paper_findings(paper, files, verbs)
    for path in sorted(files):
        if path.endswith((".c", ".h")):
            bad += comment_findings(path, files)
    print("\n".join(bad) if bad else f"{len(papers)} documents and all comments name nothing that is not there; the tour leaves nothing out")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
