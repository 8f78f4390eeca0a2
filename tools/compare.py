#!/usr/bin/env python3
"""Compares `compote config` with docker compose 2.40: what is accepted, and what is printed.

    tools/compare.py [CASE...]                      golden cases (tests/golden/golden.c says what they are made of)
    tools/compare.py --write CASE...                writes their expected files: what docker compose prints where it
                                                    accepts, else what compote says; read the diff before a commit
    tools/compare.py --random COUNT [--seed N]      random projects (tools/random_project.py); what differs is reduced

docker compose is the program named by COMPOTE_PEER_COMPOSE, or the one in the chroot named by COMPOTE_PEER. The build
directory is COMPOTE_TEST_BUILD (build). Ends with 1 when there is a difference that docs/differences.md does not name:
it names a case as `case:NAME`, and a refusal by a part of its message, `says:TEXT`.
"""
import argparse
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import random_project

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("COMPOTE_TEST_BUILD", TOP / "build")).resolve()
CASES = TOP / "tests/golden/cases"
COMPOTE = BUILD / "src/cli/compote"
NAMED = (TOP / "docs/differences.md").read_text()
NAMED_CASES = set(re.findall(r"`case:([^`]+)`", NAMED))
NAMED_REFUSALS = re.findall(r"`says:([^`]+)`", NAMED)


def find_peer():
    peer = os.environ.get("COMPOTE_PEER_COMPOSE")
    if not peer and "COMPOTE_PEER" in os.environ:
        peer = os.environ["COMPOTE_PEER"] + "/usr/libexec/docker/cli-plugins/docker-compose"
    if not peer or not os.path.exists(peer):
        sys.exit("compare: no docker compose; set COMPOTE_PEER_COMPOSE to the program or COMPOTE_PEER to its chroot")
    version = subprocess.run([peer, "version", "--short"], capture_output=True, text=True).stdout.strip()
    if not version.lstrip("v").startswith("2.40."):
        sys.exit(f"compare: {peer} is version {version}, not 2.40")
    return peer


class Outcome:
    def __init__(self, done):
        self.accepted = done.returncode == 0
        self.text = done.stdout
        self.message = "\n".join(line for line in done.stderr.split("\n") if "level=warning" not in line).strip()


def config(program, folder, form, stdin=None):
    """What `config` does with the case in a folder, or with the text on standard input."""
    lines = lambda name: [line for line in (folder / name).read_text().split("\n") if line] \
        if (folder / name).exists() else []
    options, flags, words = ["-f", "-"] if stdin is not None else [], [], iter(lines("args"))
    for word in words:
        if word.startswith("--no-") or not word.startswith("-"):
            flags.append(word)
        else:
            options += [word, next(words)]
    environment = {"PATH": os.environ["PATH"], "HOME": "/home/user",
                   **dict(line.split("=", 1) for line in lines("env") if "=" in line)}
    return Outcome(subprocess.run([program, *options, "config", "--format", form, *flags], cwd=folder, env=environment,
                                  input=stdin or "", capture_output=True, text=True, errors="replace"))


def parts(text):
    """The texts of an each.yaml or expected-each.txt by name."""
    pieces = re.split(r"^### (.*)\n", text, flags=re.M)
    return dict(zip(pieces[1::2], pieces[2::2]))


def inputs(folder):
    """(name, text for standard input or None) of the cases in a folder."""
    if (folder / "each.yaml").exists():
        return [(f"{folder.name}/{name}", text) for name, text in parts((folder / "each.yaml").read_text()).items()]
    return [(folder.name, None)]


def difference(peer, folder, forms, stdin=None):
    """What differs, as a kind and a text, or None."""
    for form in forms:
        theirs, ours = config(peer, folder, form, stdin), config(COMPOTE, folder, form, stdin)
        if theirs.accepted != ours.accepted:
            who, message = ("compote", ours.message) if theirs.accepted else ("docker compose", theirs.message)
            return None if any(text in message for text in NAMED_REFUSALS) else (f"{who} refuses", message[:2000])
        if not ours.accepted:
            if ours.message.count("Sanitizer") or not ours.message:
                return "compote breaks", ours.message
            return None
        if theirs.text != ours.text:
            rows = difflib.unified_diff(theirs.text.split("\n"), ours.text.split("\n"), "docker compose", "compote",
                                        lineterm="", n=2)
            return f"{form} differs", "\n".join(list(rows)[:40])
    return None


def sort_of(found):
    """The difference without names, numbers and places: what stays the same while a project is reduced."""
    kind, text = found or ("", "")
    return kind, "" if "differs" in kind else re.sub(r"'[^']*'|\"[^\"]*\"|\S*[./]\S*|\b\w*\d\w*\b", "", text)


def show(name, found):
    print(f"=== {name}: {found[0]}\n{found[1]}\n", flush=True)


def compare_cases(peer, folders):
    count = bad = 0
    for folder in folders:
        for name, stdin in inputs(folder):
            found = difference(peer, folder, ["json", "yaml"], stdin)
            count += 1
            if found and name not in NAMED_CASES:
                bad += 1
                show(name, found)
    print(f"{count} cases, {bad} differ")
    return bad


def golden(form, folder):
    done = subprocess.run([BUILD / "tests/golden/golden", "--print", form, folder], capture_output=True, text=True)
    return Outcome(done)


def write_case(peer, folder):
    places = lambda text: text.replace(str(folder), "@DIR@").replace(str(folder.parent), "@CASES@")
    (folder / "expected-error.txt").unlink(missing_ok=True)
    if (folder / "each.yaml").exists():
        expected = parts(golden("yaml", folder).text)
        for name, stdin in inputs(folder):
            theirs = config(peer, folder, "yaml", stdin)
            if theirs.accepted and name not in NAMED_CASES:
                expected[name.split("/", 1)[1]] = theirs.text
        text = "".join(f"### {name}\n{text}" for name, text in expected.items())
        (folder / "expected-each.txt").write_text(places(text))
        return
    if (folder / "explain").exists():
        (folder / "expected-explain.txt").write_text(golden("explain", folder).text)
    accepted = folder.name not in NAMED_CASES and config(peer, folder, "json").accepted
    for form in "json", "yaml":
        result = config(peer, folder, form) if accepted else golden(form, folder)
        file = folder / (f"expected.{form}" if result.accepted else "expected-error.txt")
        (folder / f"expected.{form}").unlink(missing_ok=True)
        file.write_text(places(result.text))


def compare_random(peer, count, seed):
    bad = 0
    with tempfile.TemporaryDirectory(prefix="compare-") as scratch:
        folder = pathlib.Path(scratch) / "project"

        def differs(project, form):
            shutil.rmtree(folder, ignore_errors=True)
            project.write(folder)
            return difference(peer, folder, [form])

        rows = subprocess.run([BUILD / "tests/golden/rows", "json"], capture_output=True, text=True, check=True).stdout
        for number in range(seed, seed + count):
            project = random_project.make(rows, number)
            form = ("json", "yaml")[number % 2]
            found = differs(project, form)
            if not found:
                continue
            bad += 1
            project = project.reduced(lambda smaller: sort_of(differs(smaller, form)) == sort_of(found))
            show(f"--random 1 --seed {number}", differs(project, form))
            print(project.text(), flush=True)
    print(f"{count} random projects from seed {seed}, {bad} differ")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the expected files of the cases")
    parser.add_argument("--random", type=int, metavar="COUNT", help="compare random projects")
    parser.add_argument("--seed", type=int, default=1, help="of the first random project")
    parser.add_argument("cases", nargs="*", metavar="CASE", type=pathlib.Path)
    options = parser.parse_args()
    peer = find_peer()
    folders = [case.resolve() for case in options.cases] or sorted(f for f in CASES.iterdir() if f.is_dir())
    if options.random is not None:
        sys.exit(compare_random(peer, options.random, options.seed) > 0)
    if options.write:
        if not options.cases:
            parser.error("--write needs the cases")
        for folder in folders:
            write_case(peer, folder)
    else:
        sys.exit(compare_cases(peer, folders) > 0)


if __name__ == "__main__":
    main()
