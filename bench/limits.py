#!/usr/bin/env python3
"""What hostile or huge Compose files cost: time, peak memory and the answer of `config -q` for each.

    bench/limits.py [NAME...]        names are those of the first column; COMPOTE_TEST_BUILD names the build
"""
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("COMPOTE_TEST_BUILD", TOP / "build-rel")).resolve()
TIME_LIMIT = 120
ONE = "services: {a: {image: x"


def lines(count, form):
    return "".join(form % i for i in range(count))


def bomb(first, each):
    """Nine levels of nine aliases."""
    return first + "".join(each(i) for i in range(1, 10)) + "services: {a: {image: x}}\n"


def nine(level):
    return ", ".join([f"*a{level - 1}"] * 9)


def real_services(size):
    made = subprocess.run([TOP / "bench/make-compose.py", str(size // 850)], stdout=subprocess.PIPE, check=True)
    return made.stdout


def chain(count, link):
    return "services:\n" + lines(count, link) + f"  s{count}: {{image: x}}\n"


# Name: the files, and what follows `config -q`. A function makes what should not be made for nothing.
CASES = {
    "alias bomb, lists": lambda: {"compose.yaml": bomb("x-0: &a0 [1]\n", lambda i: f"x-{i}: &a{i} [{nine(i)}]\n")},
    "alias bomb, maps": lambda: {"compose.yaml": bomb(
        "x-0: &a0 {k: v}\n", lambda i: f"x-{i}: &a{i} {{" + ", ".join(f"k{k}: *a{i - 1}" for k in range(9)) + "}\n")},
    "alias bomb, merge keys": lambda: {"compose.yaml": bomb(
        "x-0: &a0 {k: v}\n", lambda i: f"x-{i}: &a{i} {{k{i}: 1, <<: [{nine(i)}]}}\n")},
    "alias of a long text": lambda: {"compose.yaml": f"x-t: &t {'a' * 1000000}\nx-l: [{'*t,' * 100000}]\n" + ONE + "}}"},
    "alias of itself": lambda: {"compose.yaml": "x-a: &a [*a]\n" + ONE + "}}"},
    "merge keys, 100,000": lambda: {"compose.yaml": "x-a: &a {k: v}\nx-b: {<<: [" + "*a," * 100000 + "]}\n" + ONE + "}}"},
    "extends fan-out": lambda: {"compose.yaml": "services:\n  b: {image: x, environment: {" + lines(10000, "E%d: 1, ") + "}}\n"
                                + lines(10000, "  s%d: {extends: b}\n")},
    "extends chain, 10,000": lambda: {"compose.yaml": "services:\n  s0: {image: x}\n" + "".join(
        f"  s{i}: {{extends: s{i - 1}}}\n" for i in range(10000, 0, -1))},
    "extends cycle": lambda: {"compose.yaml": "services: {a: {extends: b}, b: {extends: a}}\n"},
    "include cycle": lambda: {"compose.yaml": "include: [b.yaml]\n", "b.yaml": "include: [compose.yaml]\n"},
    "includes, 10,000": lambda: {"compose.yaml": "include: [" + "b.yaml, " * 10000 + "]\n", "b.yaml": ONE + "}}"},
    "include depth 10,000": lambda: {"compose.yaml": "include: [i0.yaml]\n"} | {
        f"i{i}.yaml": f"include: [i{i + 1}.yaml]\n" for i in range(200)},
    "-f, 2,000 times": lambda: {"compose.yaml": ONE + "}}", "args": ["-f", "compose.yaml"] * 2000},
    "-f, 900 times, 1,000 services": lambda: {"compose.yaml": "services:\n" + lines(1000, "  s%d: {image: x}\n"),
                                              "args": ["-f", "compose.yaml"] * 900},
    "COMPOSE_FILE of 1,000,000": lambda: {"compose.yaml": ONE + "}}", ".env": "COMPOSE_FILE=" + "a:" * 1000000 + "\n"},
    "COMPOSE_PROFILES of 1,000,000": lambda: {
        "compose.yaml": "services:\n" + lines(10000, "  s%d: {image: x, profiles: [a, b]}\n"),
        ".env": "COMPOSE_PROFILES=" + "a" + lines(1000000, ",%d") + "\n"},
    ".env of 1,000,000 variables": lambda: {"compose.yaml": ONE + "}}", ".env": lines(1000000, "V%d=1\n")},
    ".env of 1,000,000, 900 includes": lambda: {
        "compose.yaml": "include: [" + "b.yaml, " * 900 + "]\n", "b.yaml": ONE + "}}", ".env": lines(300000, "V%d=1\n")},
    ".env doubling": lambda: {"compose.yaml": ONE + "}}", ".env": "A0=aaaaaaaa\n" + "".join(
        f"A{i}=$A{i - 1}$A{i - 1}\n" for i in range(1, 1000))},
    ".env of large values": lambda: {"compose.yaml": ONE + "}}", ".env": "A=" + "a" * 4000000 + "\n"
                                     + lines(100000, "B%d=$A\n")},
    "large variable, used 10,000 times": lambda: {
        "compose.yaml": ONE + ", command: [" + "$A, " * 10000 + "]}}", ".env": "A=" + "a" * 4000000 + "\n"},
    "large variable in 10,000 services": lambda: {
        "compose.yaml": "services:\n" + lines(10000, "  s%d: {image: x, environment: [A]}\n"),
        ".env": "A=" + "a" * 4000000 + "\n"},
    "env_file of 30 MB in 10,000 services": lambda: {
        "compose.yaml": "services:\n" + lines(10000, "  s%d: {image: x, env_file: e.env}\n"), "e.env": lines(2000000, "V%d=1\n")},
    "env_file: /dev/zero": lambda: {"compose.yaml": ONE + ", env_file: /dev/zero}}"},
    "env_file: a directory": lambda: {"compose.yaml": ONE + ", env_file: .}}"},
    "env_file: a FIFO": lambda: {"compose.yaml": ONE + ", env_file: pipe}}", "pipe": None},
    "include: a FIFO": lambda: {"compose.yaml": "include: [pipe]", "pipe": None},
    "include: /dev/zero": lambda: {"compose.yaml": "include: [/dev/zero]"},
    "include: a loop of links": lambda: {"compose.yaml": "include: [loop]", "loop": pathlib.Path("loop")},
    "variables nested 100,000 deep": lambda: {"compose.yaml": ONE + ", command: '" + "${A:-" * 100000 + "}" * 100000 + "'}}"},
    "lists nested 100,000 deep": lambda: {"compose.yaml": "x-a: " + "[" * 100000},
    "maps nested 100,000 deep": lambda: {"compose.yaml": "x-a: " + "{a: " * 100000},
    "block nested 5,000 deep": lambda: {"compose.yaml": "".join(" " * i + "a:\n" for i in range(5000))},
    "keys that collide in FNV": lambda: {"compose.yaml": "x-a:\n" + lines(1000000, "  k%07x: 1\n") + ONE + "}}"},
    "1,000,000 x- keys backwards": lambda: {"compose.yaml": "".join(f"x-{i:07}: 1\n" for i in range(1000000, 0, -1)) + ONE + "}}"},
    "1,000,000 unknown keys": lambda: {"compose.yaml": lines(1000000, "key%d: 1\n") + ONE + "}}"},
    "1,000,000 unset variables": lambda: {"compose.yaml": ONE + ", command: [" + lines(1000000, "$V%d, ") + "]}}"},
    "1,000,000 values reset": lambda: {
        "compose.yaml": ONE + ", labels: {" + lines(1000000, "l%d: 1, ") + "}}}",
        "compose.override.yaml": ONE + ", labels: {" + lines(1000000, "l%d: !reset 1, ") + "}}}"},
    "1,000,000 empty build arguments": lambda: {"compose.yaml": ONE + ", build: {args: [" + lines(1000000, "A%d, ") + "]}}}"},
    "1,000,000 addresses of a host": lambda: {"compose.yaml": ONE + ", extra_hosts: [" + lines(1000000, "h=10.0.%d, ") + "]}}"},
    "100,000 documents": lambda: {"compose.yaml": lines(100000, "---\nservices: {s%d: {image: x}}\n")},
    "1,000,000 %TAG directives": lambda: {"compose.yaml": lines(1000000, "%%TAG !t%d! a\n") + "---\n" + ONE + "}}"},
    "port ranges": lambda: {"compose.yaml": ONE + ", ports: [" + "'1-65535:1-65535', " * 100 + "]}}"},
    "port range, 65,535": lambda: {"compose.yaml": ONE + ", ports: ['1-65535:1-65535']}}"},
    "depends_on, chain of 100,000": lambda: {"compose.yaml": "services:\n" + "".join(
        f"  s{i}: {{image: x, depends_on: [s{i + 1}]}}\n" for i in range(100000)) + "  s100000: {image: x}\n", "args2": ["s0"]},
    "depends_on, cycle of 100,000": lambda: {"compose.yaml": "services:\n" + "".join(
        f"  s{i}: {{image: x, depends_on: [s{(i + 1) % 100000}]}}\n" for i in range(100000))},
    "depends_on, 1,000 x 1,000": lambda: {"compose.yaml": "services:\n" + "".join(
        f"  s{i}: {{image: x, depends_on: [{', '.join(f's{k}' for k in range(i))}]}}\n" for i in range(1000))},
    "long key": lambda: {"compose.yaml": "? " + "k" * 10000000 + "\n: 1\n" + ONE + "}}"},
    "10,000,000 list items": lambda: {"compose.yaml": "x-a: [" + "1," * 10000000 + "]\n" + ONE + "}}"},
    "100 MB text": lambda: {"compose.yaml": "x-a: " + "a" * 100000000 + "\n" + ONE + "}}"},
    "100 MB of comments": lambda: {"compose.yaml": ("#" + "c" * 99 + "\n") * 1000000 + ONE + "}}"},
    "100 MB of services": lambda: {"compose.yaml": real_services(100000000)},
    "300 MB": lambda: {"compose.yaml": ONE + "}}" + "\n" * 300000000},
    "bytes: NUL": lambda: {"compose.yaml": ONE + ", command: \"a\0b\"}}"},
    "bytes: not UTF-8": lambda: {"compose.yaml": b"services: {a: {image: \xff}}"},
    "bytes: UTF-16": lambda: {"compose.yaml": (ONE + "}}").encode("utf-16")},
    "tag !!python/object": lambda: {"compose.yaml": "x-a: !!python/object:os.system [a]\n" + ONE + "}}"},
    "tag !!binary": lambda: {"compose.yaml": ONE + ", command: !!binary aGk=}}"},
}


def write(folder, files):
    for name, content in files.items():
        if content is None:
            os.mkfifo(folder / name)
        elif isinstance(content, pathlib.Path):
            (folder / name).symlink_to(content)
        elif isinstance(content, bytes):
            (folder / name).write_bytes(content)
        elif isinstance(content, str):
            (folder / name).write_text(content)


def measure(files):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="compote-limits."))
    try:
        write(folder, files)
        argv = [BUILD / "src/cli/compote", *files.get("args", []), "config", "-q", *files.get("args2", [])]
        started = time.monotonic()
        with open(folder / ".err", "wb") as err:
            process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
                                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (TIME_LIMIT, TIME_LIMIT)))
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        text = (folder / ".err").read_bytes()
        return (time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode,
                len(text), text[:400].decode(errors="replace").split("\n")[0])
    finally:
        shutil.rmtree(folder)


def main():
    print(f"{'':38}{'wall s':>8}{'CPU s':>8}{'MiB':>7}{'exit':>5}{'text':>8}  first line")
    for name in sys.argv[1:] or CASES:
        wall, cpu, memory, code, size, line = measure(CASES[name]())
        print(f"{name:38}{wall:8.2f}{cpu:8.2f}{memory:7.0f}{code:5}{size:8}  {line[:110]}", flush=True)


main()
