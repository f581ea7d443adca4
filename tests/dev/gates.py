#!/usr/bin/python3
"""gates — calls and words that this tree does without, searched in every C file.

Each row: what to find, where it is allowed, and why it is not wanted elsewhere. (survey.c frees what jansson allocated.)
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("common", "control", "lookup", "smtpd", "queue", "relay", "mda", "tests")

GATES = [
    (r"\bsystem\s*\(", (), "no shell"),
    (r"\bpopen\s*\(", (), "no shell"),
    (r"\b(v?sprintf|strcpy|strcat|gets|strtok)\s*\(", (), "no bounds: snprintf, strlcpy"),
    (r"\b(gethostby\w+|getaddrinfo|getnameinfo)\s*\(", (), "blocks, and does not say why it failed: net/resolver.h"),
    (r"\b(atoi|atol|atof)\s*\(", ("tests/",), "cannot say that it failed: base/num.h"),
    (r"\b(malloc|calloc|realloc|strdup|strndup|free)\s*\(", ("common/base/mem.c", "tests/", "control/supervisor/survey.c"),
     "base/mem.h counts and can fail on purpose"),
    (r"\bconfuse\.h", ("common/conf/load.c",), "libconfuse stays inside load.c"),
    (r"\bcmocka\.h", ("tests/",), "tests only"),
    (r"\b(TODO|FIXME|XXX)\b", (), "say what is true, or file an issue"),
    (r"//\s", (), "comments are /* */"),
]

STRING = re.compile(r'"(\\.|[^"\\])*"')
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def blank(match):
    """Keeps the lines of what is taken out, so that numbers stay true."""
    return re.sub(r"[^\n]", " ", match.group(0))


def findings(path):
    name = str(path.relative_to(ROOT))
    text = path.read_text(errors="replace")
    code = COMMENT.sub(blank, STRING.sub(lambda m: blank(m) if "\n" not in m.group(0) else m.group(0), text))
    for pattern, allowed, why in GATES:
        if any(name.startswith(prefix) for prefix in allowed):
            continue
        searched = text if "TODO" in pattern or ".h" in pattern else code
        for hit in re.finditer(pattern, searched):
            yield f"{name}:{searched.count(chr(10), 0, hit.start()) + 1}: {hit.group(0).strip()}: {why}"


def main():
    files = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.[ch]"))]
    bad = [line for path in files for line in findings(path)]
    print("\n".join(bad) if bad else f"{len(files)} files, nothing forbidden")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
