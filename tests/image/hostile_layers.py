#!/usr/bin/env python3
"""Feeds hostile and odd layer archives to the real unpacker and looks at what it did.

    hostile_layers.py COMPOTE_IMAGE [CASE...]

Each case is a tar made here byte by byte. Two things are checked for each: the unpacker took it or refused it as the
case says (a refusal names the entry), and nothing outside the layer changed: not the files beside the store, not
another layer in it, not the directories that an escape would hit first. Needs root, for device nodes and owners;
exits 77 without.
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile

BLOCK = 512


def octal(value, width):
    return b"%0*o\0" % (width - 1, value)


def header(name, kind=b"0", size=0, mode=0o644, uid=0, gid=0, mtime=1, link=b"", major=0, minor=0, magic=b"ustar\0" b"00",
           prefix=b"", raw=None, checksum=None):
    """One header block; `raw` replaces ranges of it: {offset: bytes}."""
    name, link = (x.encode() if isinstance(x, str) else x for x in (name, link))
    block = bytearray(BLOCK)

    def put(offset, data, width):
        block[offset:offset + min(len(data), width)] = data[:width]
    put(0, name, 100)
    put(100, octal(mode, 8), 8)
    put(108, octal(uid, 8), 8)
    put(116, octal(gid, 8), 8)
    put(124, octal(size, 12), 12)
    put(136, octal(mtime, 12), 12)
    put(148, b" " * 8, 8)
    put(156, kind, 1)
    put(157, link, 100)
    put(257, magic, 8)
    put(329, octal(major, 8), 8)
    put(337, octal(minor, 8), 8)
    put(345, prefix, 155)
    for offset, data in (raw or {}).items():
        block[offset:offset + len(data)] = data
    total = sum(block) if checksum is None else checksum
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def pad(data):
    return data + b"\0" * (-len(data) % BLOCK)


def file(name, data=b"x", **kw):
    return header(name, size=kw.pop("size", len(data)), **kw) + pad(data)


def directory(name, **kw):
    return header(name, b"5", mode=kw.pop("mode", 0o755), **kw)


def symlink(name, target):
    return header(name, b"2", link=target, mode=0o777)


def hardlink(name, target, **kw):
    return header(name, b"1", link=target, **kw)


def pax(records, kind=b"x"):
    body = b""
    for key, value in records:
        key, value = (x.encode() if isinstance(x, str) else x for x in (key, value))
        line = b" " + key + b"=" + value + b"\n"
        n = len(line)
        while len(str(n).encode()) + len(line) != n:
            n = len(str(n).encode()) + len(line)
        body += str(n).encode() + line
    return header("pax", kind, size=len(body)) + pad(body)


def gnu_long(text, kind):
    text = text.encode() + b"\0"
    return header("././@LongLink", kind, size=len(text), magic=b"ustar  \0") + pad(text)


END = b"\0" * 1024
DEEP = "/".join("d%d" % i for i in range(300))


def has(path, **want):
    """A check: `path` is in the layer, with these traits."""
    def check(layer):
        st = os.lstat(os.path.join(layer, path))
        for key, value in want.items():
            got = {"kind": stat.S_IFMT(st.st_mode), "mode": stat.S_IMODE(st.st_mode), "uid": st.st_uid, "gid": st.st_gid,
                   "size": st.st_size, "rdev": st.st_rdev, "nlink": st.st_nlink, "mtime": int(st.st_mtime)}.get(key)
            if key == "link":
                got = os.readlink(os.path.join(layer, path))
            if key == "data":
                got = open(os.path.join(layer, path), "rb").read()
            if key == "xattr":
                got = {k: os.getxattr(os.path.join(layer, path), k) for k in os.listxattr(os.path.join(layer, path))}
            assert got == value, "%s: %s is %r, not %r" % (path, key, got, value)
    return check


def lacks(*paths):
    def check(layer):
        for path in paths:
            assert not os.path.lexists(os.path.join(layer, path)), path + " is there"
    return check


def both(*checks):
    return lambda layer: [check(layer) for check in checks]


def refused(*words):
    return list(words)


CAPABILITY = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
OUT = "@OUT@"  # becomes the canary directory's path


# name: (entries without the end mark, list of words that a refusal has, or a check of the layer)
CASES = {
    # Names
    "dotdot": (file("../escape"), refused("../escape", "'..'")),
    "dotdot-deep": (file("a/b/../../../escape"), refused("a/b/../../../escape", "'..'")),
    "dotdot-inside": (directory("a/") + file("a/../b"), refused("a/../b", "'..'")),
    "dotdot-alone": (directory(".."), refused("'..'")),
    "dotdot-slash": (directory("../"), refused("'..'")),
    "absolute": (file("/abs/file"), has("abs/file", data=b"x")),
    "absolute-canary": (file(OUT + "/victim"), lambda layer: None),
    "many-slashes": (file("//a///b//c"), has("a/b/c", data=b"x")),
    "dots": (file("./././a/./b"), has("a/b", data=b"x")),
    "root-as-symlink": (symlink("/.", "/etc"), refused("/.", "root of the layer")),
    "root-as-symlink-dot": (symlink(".", OUT), refused("root of the layer")),
    "root-as-symlink-slash": (symlink("/", OUT), refused("root of the layer")),
    "root-as-file": (file("./"), lambda layer: None),
    "root-as-hardlink": (hardlink(".", "a"), refused("root of the layer")),
    "root-as-device": (header("./", b"3", major=1, minor=3), refused("root of the layer")),
    "empty-name": (file(""), refused("name")),
    "name-newline": (file("a\nb/../c"), refused("'..'")),
    "name-control": (file("\x1b[31mred/.."), refused("'..'")),
    "name-not-utf8": (file(b"caf\xe9"), lambda layer: os.lstat(os.path.join(os.fsencode(layer), b"caf\xe9"))),
    "name-utf8": (pax([("path", "caf\u00e9/\u4e2d")]) + file("x"), has("caf\u00e9/\u4e2d", data=b"x")),
    "name-long-part": (gnu_long("a" * 300, b"L") + file("x", magic=b"ustar  \0"), refused("300 bytes")),
    "name-too-deep": (gnu_long(DEEP, b"L") + file("x", magic=b"ustar  \0"), refused("parts")),
    "name-too-long": (gnu_long("/".join(["b" * 200] * 30), b"L") + file("x", magic=b"ustar  \0"), refused("4095 bytes")),
    "name-embedded-nul": (pax([("path", b"ok\0/../../escape")]) + file("x"), lambda layer: None),
    # Links on the way
    "via-symlink-out": (symlink("d", OUT) + file("d/victim"), refused("d/victim", "'d' is a symbolic link")),
    "via-symlink-dotdot": (symlink("d", "../../../../..") + file("d/tmp/escape"), refused("symbolic link")),
    "via-symlink-inside": (directory("real/") + symlink("d", "real") + file("d/f"), refused("symbolic link")),
    "via-symlink-chain": (symlink("a", "b") + symlink("b", OUT) + file("a/victim"), refused("symbolic link")),
    "via-symlink-dir": (symlink("d", OUT) + directory("d/sub/"), refused("symbolic link")),
    "via-symlink-deep": (directory("x/") + symlink("x/y", OUT) + file("x/y/z/victim"), refused("'x/y' is a symbolic link")),
    "via-symlink-proc": (symlink("d", "/proc/self/root") + file("d/etc/escape"), refused("symbolic link")),
    "via-file": (file("f") + file("f/g"), refused("'f' is a file")),
    "symlink-then-dir": (symlink("d", OUT) + directory("d/") + file("d/f"), has("d/f", data=b"x")),
    "symlink-then-file": (symlink("d", OUT + "/victim") + file("d", b"mine"), both(has("d", data=b"mine"), has("d", kind=stat.S_IFREG))),
    "symlink-then-symlink": (symlink("d", OUT) + symlink("d", "x"), has("d", link="x")),
    "symlink-then-device": (symlink("d", OUT + "/victim") + header("d", b"3", major=1, minor=3), has("d", kind=stat.S_IFCHR)),
    "symlink-then-whiteout": (symlink("d", OUT) + file("d/.wh.victim", b""), refused("symbolic link")),
    "symlink-then-opaque": (symlink("d", OUT) + file("d/.wh..wh..opq", b""), refused("symbolic link")),
    "symlink-parent-swap": (directory("d/") + file("d/a") + symlink("d", OUT) + file("d/victim"), refused("symbolic link")),
    "symlink-empty-target": (symlink("s", ""), refused("target")),
    "symlink-absolute-kept": (symlink("s", "/etc/passwd"), has("s", link="/etc/passwd")),
    "symlink-dotdot-kept": (symlink("s", "../../../etc/passwd"), has("s", link="../../../etc/passwd")),
    "symlink-long-target": (gnu_long("t" * 5000, b"K") + header("s", b"2", magic=b"ustar  \0"), refused("'s'")),
    # Hard links
    "hardlink-out": (hardlink("h", OUT + "/victim"), refused("'h'", "not in this layer")),
    "hardlink-dotdot": (hardlink("h", "../../victim"), refused("'h'", "'..'")),
    "hardlink-etc": (hardlink("h", "/etc/passwd"), refused("not in this layer")),
    "hardlink-via-symlink": (symlink("d", OUT) + hardlink("h", "d/victim"), refused("not in this layer")),
    "hardlink-to-symlink": (symlink("s", OUT + "/victim") + hardlink("h", "s"), has("h", kind=stat.S_IFLNK)),
    "hardlink-symlink-write": (symlink("s", OUT + "/victim") + hardlink("h", "s") + file("h", b"new"), has("h", data=b"new", kind=stat.S_IFREG)),
    "hardlink-to-dir": (directory("d/") + hardlink("h", "d"), refused("not a file")),
    "hardlink-to-root": (hardlink("h", "/"), refused("not in this layer")),
    "hardlink-to-self": (hardlink("h", "h"), refused("not in this layer")),
    "hardlink-forward": (hardlink("h", "later") + file("later"), refused("not in this layer")),
    "hardlink-fine": (file("a", b"data") + hardlink("b", "/a"), has("b", data=b"data", nlink=2)),
    "hardlink-with-data": (file("a", b"data") + hardlink("b", "a", size=4) + pad(b"evil"), lambda layer: has("a", data=b"data")(layer)),
    "hardlink-then-replace": (file("a", b"old") + hardlink("b", "a") + file("b", b"new"), both(has("a", data=b"old"), has("b", data=b"new"))),
    "hardlink-name-dotdot": (file("a") + hardlink("../b", "a"), refused("'..'")),
    "hardlink-no-target": (hardlink("h", ""), lambda layer: None),
    # Whiteouts (in the lowest layer they hide nothing and are dropped)
    "whiteout-bare": (file(".wh.", b""), refused(".wh.", "names nothing")),
    "whiteout-dot": (file(".wh..", b""), refused("names nothing")),
    "whiteout-dotdot": (file(".wh...", b""), refused("names nothing")),
    "whiteout-dotdot-deep": (file("a/.wh...", b""), refused("names nothing")),
    "whiteout-slash": (file("a/.wh./b", b""), has("a/.wh./b")),
    "whiteout-own": (file("f", b"x") + file(".wh.f", b""), both(has("f", data=b"x"), lacks(".wh.f"))),
    "whiteout-lowest": (file(".wh.gone", b""), lacks("gone", ".wh.gone")),
    "whiteout-aufs": (file(".wh..wh.plnk", b"") + file(".wh..wh.aufs", b""), lacks(".wh..wh.plnk", "plnk")),
    "whiteout-as-symlink": (symlink(".wh.x", OUT + "/victim"), lacks("x", ".wh.x")),
    "whiteout-as-dir": (directory(".wh.dir/"), lambda layer: None),
    "whiteout-canary": (file(".wh." + "..", b""), refused("names nothing")),
    "whiteout-char-device": (header("gone", b"3"), lacks("gone")),
    # Devices and special bits
    "device-block": (header("disk", b"4", major=8, minor=0, mode=0o660), has("disk", kind=stat.S_IFBLK, rdev=os.makedev(8, 0))),
    "device-huge": (header("c", b"3", raw={329: b"\x80\0\0\0\xff\xff\xff\xff"}), refused("'c'", "device number")),
    "fifo": (header("p", b"6"), has("p", kind=stat.S_IFIFO)),
    "fifo-then-file": (header("p", b"6") + file("p", b"data"), has("p", data=b"data")),
    "device-then-file": (header("n", b"3", major=1, minor=3) + file("n", b"data"), has("n", kind=stat.S_IFREG, data=b"data")),
    "setuid-kept": (file("su", mode=0o4755, uid=10, gid=20), has("su", mode=0o4755, uid=10, gid=20)),
    "setgid-dir": (directory("g/", mode=0o2775, gid=50) + file("g/f"), both(has("g", mode=0o2775, gid=50), has("g/f", gid=0))),
    "sticky": (directory("t/", mode=0o1777), has("t", mode=0o1777)),
    "mode-nothing": (directory("n/", mode=0) + file("n/f", mode=0), both(has("n", mode=0), has("n/f", mode=0))),
    "contiguous-file": (file("c", kind=b"7"), has("c", data=b"x")),
    # Owners
    "owner-negative": (file("f", raw={108: b"\xff" * 8}), refused("'f'", "owner")),
    "owner-too-large": (pax([("uid", "4294967296")]) + file("f"), refused("'f'", "owner")),
    "owner-reserved": (pax([("gid", "4294967295")]) + file("f"), refused("'f'", "owner")),
    "owner-largest": (pax([("uid", "4294967294")]) + file("f"), has("f", uid=4294967294)),
    "owner-nonsense": (pax([("uid", "12x")]) + file("f"), lambda layer: None),
    # Sizes
    "size-huge-octal": (header("f", raw={124: b"77777777777\0"}), refused("'f'")),
    "size-base256-huge": (header("f", raw={124: b"\x80\0\0\0" + b"\x7f" + b"\xff" * 7}), refused()),
    "size-negative": (header("f", raw={124: b"\xff" * 12}), refused()),
    "size-pax-huge": (pax([("size", "9223372036854775807")]) + file("f"), refused()),
    "size-pax-negative": (pax([("size", "-1")]) + file("f"), lambda layer: None),
    "size-pax-overflow": (pax([("size", "99999999999999999999")]) + file("f"), refused()),
    "size-pax-hides": (pax([("size", "1024")]) + header("f", size=0) + file("../escape", b"y" * 100)[:1024], has("f", size=1024)),
    "size-truncated": (header("f", size=100000) + b"z" * 512, refused("'f'")),
    "sparse-huge": (pax([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s"), ("GNU.sparse.realsize", "8000000000000000")])
                    + header("x", size=512) + pad(b"1\n0\n0\n"), refused("'s'", "larger")),
    "sparse-0.1": (pax([("GNU.sparse.size", "4096"), ("GNU.sparse.numblocks", "1"), ("GNU.sparse.map", "1024,4"), ("GNU.sparse.name", "s")])
                   + header("x", size=4) + pad(b"data"), has("s", size=4096)),
    "sparse-negative": (pax([("GNU.sparse.size", "4096"), ("GNU.sparse.numblocks", "1"), ("GNU.sparse.map", "-1024,4")])
                        + header("s", size=4) + pad(b"data"), lambda layer: None),
    "sparse-overlap": (pax([("GNU.sparse.size", "100"), ("GNU.sparse.numblocks", "2"), ("GNU.sparse.map", "0,4,99999999999999,4")])
                       + header("s", size=8) + pad(b"datadata"), lambda layer: None),
    # PAX and GNU extensions
    "pax-path": (pax([("path", "../escape")]) + file("harmless"), refused("../escape", "'..'")),
    "pax-linkpath": (pax([("linkpath", OUT + "/victim")]) + hardlink("h", "ok"), refused("'h'", "not in this layer")),
    "pax-global-path": (pax([("path", "../escape")], b"g") + file("f"), lambda layer: None),
    "pax-twice": (pax([("path", "a")]) + pax([("path", "../b")]) + file("f"), refused()),
    "pax-for-pax": (pax([("path", "ok"), ("size", "0")]) + pax([("path", "fine")]) + file("f"), lambda layer: None),
    "pax-garbage": (header("pax", b"x", size=20) + pad(b"999999999999 path=zz") + file("f"), lambda layer: None),
    "pax-no-newline": (header("pax", b"x", size=12) + pad(b"12 path=evil") + file("f"), lambda layer: None),
    "pax-length-zero": (header("pax", b"x", size=10) + pad(b"0 path=abc") + file("f"), lambda layer: None),
    "pax-huge": (header("pax", b"x", size=1 << 33), refused()),
    "pax-at-end": (pax([("path", "x")]), lambda layer: None),
    "gnu-long-dotdot": (gnu_long("../" * 40 + "escape", b"L") + file("x", magic=b"ustar  \0"), refused("'..'")),
    "gnu-long-huge": (header("././@LongLink", b"L", size=1 << 33, magic=b"ustar  \0"), refused()),
    "gnu-long-link": (gnu_long(OUT + "/victim", b"K") + hardlink("h", "x", magic=b"ustar  \0"), refused("not in this layer")),
    "ustar-prefix": (file("escape", prefix=b"../.."), refused("'..'")),
    "time-extreme": (pax([("mtime", "99999999999999999.5")]) + file("f"), has("f", data=b"x")),
    "time-negative": (pax([("mtime", "-1000000.5")]) + file("f"), has("f", data=b"x")),
    # Extended attributes
    "xattr-overlay": (pax([("SCHILY.xattr.trusted.overlay.opaque", "y"), ("SCHILY.xattr.user.overlay.redirect", "/x"),
                           ("SCHILY.xattr.trusted.overlay.redirect", "/etc"), ("SCHILY.xattr.trusted.overlay.metacopy", "")])
                      + directory("d/"), has("d", xattr={})),
    "xattr-security": (pax([("SCHILY.xattr.security.selinux", "system_u"), ("SCHILY.xattr.security.ima", "x"),
                            ("SCHILY.xattr.security.evm", "x")]) + file("f"), has("f", xattr={})),
    "xattr-capability": (pax([(b"SCHILY.xattr.security.capability", CAPABILITY)]) + file("f", uid=5),
                         has("f", xattr={"security.capability": CAPABILITY}, uid=5)),
    "xattr-user": (pax([("SCHILY.xattr.user.note", "hi")]) + file("f"), has("f", xattr={"user.note": b"hi"})),
    "xattr-huge": (pax([("SCHILY.xattr.user.note", b"a" * (2 << 20))]) + file("f"), refused()),
    "xattr-bad-base64": (pax([("LIBARCHIVE.xattr.user.note", "%%%")]) + file("f"), lambda layer: None),
    # Repetitions
    "file-then-dir": (file("a") + directory("a/") + file("a/b"), has("a/b", data=b"x")),
    "dir-then-file": (directory("a/") + file("a/b") + file("a", b"now"), has("a", data=b"now")),
    "dir-twice": (directory("a/", mode=0o700) + file("a/b") + directory("a/", mode=0o755, mtime=99), both(has("a", mode=0o755, mtime=99), has("a/b"))),
    "file-twice": (file("a", b"one") + file("a", b"two"), has("a", data=b"two")),
    "parents-missing": (file("x/y/z", b"1"), both(has("x", mode=0o755, uid=0), has("x/y", mode=0o755))),
    # The archive itself
    "checksum-wrong": (header("f", size=0, checksum=1), refused("damaged")),
    "garbage": (b"\xff\x00garbage" * 200, refused()),
    "kind-unknown": (file("odd", kind=b"Z"), lambda layer: None),
    "end-in-the-middle": (file("a") + END + file("../escape"), both(has("a"), lacks("escape"))),
}


def zeros(mebibytes):
    """That much, as many equal gzip members."""
    return gzip.compress(b"\0" * (1 << 20), 9) * mebibytes


# name: (whole input, as in CASES)
STREAMS = {
    "bomb-file": (lambda: gzip.compress(header("zeros", raw={124: octal(2 << 30, 12)})) + zeros(2048), refused("'zeros'", "larger")),
    "bomb-hidden": (lambda: gzip.compress(file("a") + END) + zeros(2048), refused("times its size")),
    "gzip-truncated": (lambda: gzip.compress(file("a", os.urandom(5000)) + END)[:-30], refused("ends early")),
    "gzip-crc": (lambda: gzip.compress(file("a") + END)[:-8] + b"\0" * 8, refused("check sum")),
    "gzip-garbage-after": (lambda: gzip.compress(file("a") + END) + b"garbage", refused("after the end")),
    "gzip-zeros-after": (lambda: gzip.compress(file("a") + END) + b"\0" * 700, has("a")),
    "gzip-members": (lambda: gzip.compress(file("a")) + gzip.compress(file("b")) + gzip.compress(END), both(has("a"), has("b"))),
    "gzip-empty-member": (lambda: gzip.compress(b"") + gzip.compress(file("b") + END), has("b")),
    "gzip-header-only": (lambda: b"\x1f\x8b\x08\x00", refused("ends early")),
    "gzip-bad-block": (lambda: gzip.compress(b"")[:10] + b"\xff" * 100, refused("damaged")),
    "zstd-garbage": (lambda: b"\x28\xb5\x2f\xfd" + b"\xff" * 100, refused("damaged")),
    "xz": (lambda: b"\xfd7zXZ\0" + b"\0" * 100, refused("xz")),
    "bzip2": (lambda: b"BZh91AY" + b"\0" * 100, refused("bzip2")),
    "empty": (lambda: b"", lambda layer: None),
    "only-zeros": (lambda: b"\0" * 10240, lambda layer: None),
    "one-byte": (lambda: b"\x1f", refused()),
    "no-end-mark": (lambda: file("a"), has("a")),
    "trailing-garbage": (lambda: file("a") + END + b"garbage" * 1000, has("a")),
}


def fingerprint(path):
    """Everything about a tree that an escape could change."""
    seen = []
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(folders + files) + ["."]:
            p = os.path.join(folder, name)
            st = os.lstat(p)
            data = open(p, "rb").read() if stat.S_ISREG(st.st_mode) else b""
            seen.append((p, st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_size, st.st_mtime_ns, st.st_rdev,
                         hashlib.sha256(data).hexdigest(), os.listxattr(p, follow_symlinks=False)))
    return seen


class Bed:
    def __init__(self, program):
        self.program = program
        self.top = tempfile.mkdtemp(prefix="compote-hostile.")
        self.out = os.path.join(self.top, "canary")
        self.root = os.path.join(self.top, "root")
        os.makedirs(os.path.join(self.out, "dir"))
        for name in ("victim", "escape.txt", "dir/inner"):
            with open(os.path.join(self.out, name), "w") as f:
                f.write("untouched\n")
        self.archive = os.path.join(self.top, "layer.tar")
        self.run(file("base", b"another layer") + directory("etc/") + END)
        self.neighbour = self.layers()[0]
        self.canaries = [self.out, self.neighbour]

    def layers(self):
        top = os.path.join(self.root, "layers")
        return sorted(os.path.join(top, name) for name in os.listdir(top))

    def run(self, data):
        with open(self.archive, "wb") as f:
            f.write(data)
        done = subprocess.run([self.program, "import", "--root=" + self.root, "--reference=case", "--path=" + self.archive],
                              capture_output=True, timeout=120)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return lines[-1] if lines else {"error": "no output: " + done.stderr.decode(errors="replace")}

    def check(self, data, expected):
        before = [fingerprint(path) for path in self.canaries]
        outside = sorted(os.listdir(self.top)) + sorted(os.listdir("/"))
        answer = self.run(data)
        after = [fingerprint(path) for path in self.canaries]
        assert before == after, "something outside the layer changed"
        assert outside == sorted(os.listdir(self.top)) + sorted(os.listdir("/")), "new names outside the layer"
        new = [layer for layer in self.layers() if layer != self.neighbour]
        try:
            if isinstance(expected, list):
                assert "error" in answer, "it was taken: %s" % answer
                assert not new, "a refused layer is there: %s" % new
                assert "ended without" not in answer["error"] and "nonsense" not in answer["error"], answer
                for word in expected:
                    assert word in answer["error"], "%r is not in %r" % (word, answer["error"])
            elif "error" in answer:
                assert expected.__name__ == "<lambda>" and not new, "it was refused: %s" % answer["error"]
                assert "ended without" not in answer["error"], answer
            else:
                assert len(new) == 1, new
                expected(new[0])
        finally:
            for layer in new:
                shutil.rmtree(layer)


def main():
    if os.geteuid() != 0:
        print("needs root, for device nodes and owners")
        return 77
    os.umask(0o022)
    bed = Bed(sys.argv[1])
    failures, count = 0, 0
    try:
        todo = [(name, lambda entries=entries: entries + END, expected) for name, (entries, expected) in CASES.items()]
        todo += [(name, make, expected) for name, (make, expected) in STREAMS.items()]
        for name, make, expected in todo:
            if sys.argv[2:] and name not in sys.argv[2:]:
                continue
            count += 1
            try:
                data = make()
                if OUT.encode() in data:
                    data = relocate(data, bed.out.encode())
                bed.check(data, expected)
            except (AssertionError, OSError) as problem:
                failures += 1
                print("not ok %s: %s" % (name, problem))
    finally:
        shutil.rmtree(bed.top)
    print("%d cases, %d failures" % (count, failures))
    return 1 if failures or not count else 0


def relocate(data, path):
    """Puts the canary's path where the mark stands in header fields, and mends the check sums."""
    blocks = [bytearray(data[i:i + BLOCK]) for i in range(0, len(data), BLOCK)]
    for block in blocks:
        at = block.find(OUT.encode())
        if at < 0:
            continue
        rest = bytes(block[at + len(OUT):]).split(b"\0", 1)[0]
        text = path + rest
        block[at:at + len(text)] = text
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
    return b"".join(bytes(block) for block in blocks)


sys.exit(main())
