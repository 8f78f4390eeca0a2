#!/usr/bin/env python3
"""Pulls from a registry that does what registries should not, and from one that does what they do.

    registry_faults.py COMPOTE_IMAGE [CASE...]

The registry is in this program, on 127.0.0.1; each case says how it behaves. Checked are the result, the words of the
error, what the client sent (credentials above all), and what is left in the store. Exits 77 without root.
"""
import base64
import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


class Image:
    """Documents and blobs of an image; changed by cases before they are served."""

    def __init__(self, layers=None, compress=gzip.compress, architecture=None, docker=False):
        plain = layers or [tar(base=b"lowest"), tar(big=os.urandom(3 << 20)), tar(top=b"uppermost")]
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        self.layers = [compress(layer) for layer in plain]
        self.config = {"os": "linux", "architecture": architecture or machine, "config": {"Env": ["A=1"], "Cmd": ["/bin/sh"]},
                       "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in plain]}}
        self.docker = docker
        self.extra = {}       # of the manifest
        self.descriptors = None

    def manifest(self):
        config = json.dumps(self.config).encode()
        kind = DOCKER if self.docker else OCI
        document = {"schemaVersion": 2,
                    "mediaType": kind + ("distribution.manifest.v2+json" if self.docker else "manifest.v1+json"),
                    "config": {"mediaType": kind + ("container.image.v1+json" if self.docker else "config.v1+json"),
                               "digest": digest(config), "size": len(config)},
                    "layers": [{"mediaType": DOCKER + "image.rootfs.diff.tar.gzip" if self.docker else OCI + "layer.v1.tar+gzip",
                                "digest": digest(blob), "size": len(blob)} for blob in self.layers]}
        if self.descriptors:
            document["layers"] = self.descriptors
        document.update(self.extra)
        return {k: v for k, v in document.items() if v is not None}


class Registry(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = "127.0.0.1:%d" % self.server_address[1]
        self.reset()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def reset(self):
        self.documents, self.blobs, self.log, self.hook = {}, {}, [], None
        self.release = threading.Event()

    def add(self, image, tag="latest", body=None, content_type=None):
        manifest = body if body is not None else json.dumps(image.manifest()).encode()
        kind = content_type or json.loads(manifest).get("mediaType", "application/json")
        config = json.dumps(image.config).encode()
        self.blobs[digest(config)] = config
        for blob in image.layers:
            self.blobs[digest(blob)] = blob
        self.documents[tag] = self.documents[digest(manifest)] = (manifest, kind)
        return digest(manifest)

    def add_index(self, entries, tag="latest", **extra):
        index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": entries}
        index.update(extra)
        body = json.dumps(index).encode()
        self.documents[tag] = self.documents[digest(body)] = (body, index["mediaType"])
        return digest(body)

    def count(self, part):
        return sum(part in line[0] for line in self.log)

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=None, length=None):
        self.send_response(status)
        for key, value in (headers or {}).items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(key, one)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, message, headers=None):
        self.answer(status, json.dumps({"errors": [{"code": "CODE", "message": message}]}).encode(), headers)

    def blob(self, data):
        wanted = self.headers.get("Range")
        if wanted:
            start = int(wanted.split("=")[1].rstrip("-"))
            self.answer(206, data[start:], {"Content-Range": "bytes %d-%d/%d" % (start, len(data) - 1, len(data))})
        else:
            self.answer(200, data)

    def do_POST(self):
        self.do_GET(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def do_GET(self, body=""):
        server = self.server
        server.log.append((self.path, self.headers.get("Authorization"), self.headers.get("Range"), body))
        if server.hook and server.hook(self) is not False:
            return
        parts = self.path.split("/")
        name = parts[-1]
        if parts[-2] == "manifests" and name in server.documents:
            document, kind = server.documents[name]
            self.answer(200, document, {"Content-Type": kind})
        elif parts[-2] == "blobs" and name in server.blobs:
            self.blob(server.blobs[name])
        else:
            self.error(404, "not here")


class Bed:
    def __init__(self, program):
        self.program = program
        self.top = tempfile.mkdtemp(prefix="compote-faults.")
        self.registry, self.other = Registry(), Registry()
        self.number = 0

    def fresh(self):
        self.number += 1
        self.registry.reset()
        self.other.reset()
        self.dir = os.path.join(self.top, str(self.number))
        self.root = os.path.join(self.dir, "root")
        os.makedirs(os.path.join(self.dir, "docker"))
        self.env = dict(os.environ, DOCKER_CONFIG=os.path.join(self.dir, "docker"))
        for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "http_proxy", "HTTP_PROXY"):
            self.env.pop(name, None)
        self.config = {"connect_timeout": 5, "stall_timeout": 1, "retries": 2, "retry_delay": 0.01}

    def credentials(self, **document):
        with open(os.path.join(self.dir, "docker", "config.json"), "w") as f:
            json.dump(document, f)

    def command(self, name="/a/b", platform=None):
        with open(os.path.join(self.dir, "registries.json"), "w") as f:
            json.dump(self.config, f)
        reference = name if not name.startswith("/") else self.registry.host + name
        command = [self.program, "pull", "--root=" + self.root, "--config=" + f.name, "--reference=" + reference]
        return command + (["--platform=" + platform] if platform else [])

    def start(self, *args):
        return subprocess.Popen(self.command(*args), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, process):
        try:
            out, trouble = process.communicate(timeout=60)
        finally:
            process.kill()
        assert b"Sanitizer" not in trouble, trouble.decode(errors="replace")
        self.lines = [json.loads(line) for line in out.splitlines()]
        return self.lines[-1] if self.lines else {"error": "no output"}

    def pull(self, *args):
        return self.finish(self.start(*args))

    def works(self, *args):
        answer = self.pull(*args)
        assert "done" in answer, answer
        assert not self.leftovers(), self.leftovers()
        return answer["done"]

    def fails(self, *words, args=()):
        answer = self.pull(*args)
        assert "error" in answer, "it worked: %s" % answer
        text = answer["error"] + "\n" + answer.get("hint", "")
        for word in words:
            assert word in text, "%r is not in %r" % (word, text)
        assert not os.path.exists(os.path.join(self.root, "images.json"))
        assert not self.leftovers(), self.leftovers()
        return text

    def is_sanitized(self):
        """Sanitizers need standard error."""
        with open(self.program, "rb") as f:
            return b"__asan_init" in f.read()

    def leftovers(self):
        layers = os.path.join(self.root, "layers")
        return [n for n in os.listdir(layers) if n.startswith(".")] if os.path.isdir(layers) else []

    def partials(self):
        return os.listdir(os.path.join(self.root, "blobs", "partial"))

    def layer_count(self):
        return len(os.listdir(os.path.join(self.root, "layers")))


CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


# --- What works ---------------------------------------------------------------------------------------------------

@case
def good(bed):
    bed.registry.add(Image())
    bed.works()
    assert bed.layer_count() == 3 and not bed.partials()
    bed.registry.log.clear()
    bed.works()
    assert bed.registry.count("/blobs/") == 1, "only the configuration is fetched again"


@case
def good_docker_types(bed):
    bed.registry.add(Image(docker=True))
    bed.works()


@case
def good_zstd(bed):
    bed.registry.add(Image(compress=zstd))
    bed.works()


@case
def good_plain_tar(bed):
    bed.registry.add(Image(compress=lambda data: data))
    bed.works()


@case
def good_same_layer_twice(bed):
    same = tar(x=b"same")
    bed.registry.add(Image([same, tar(y=b"other"), same]))
    bed.works()
    assert bed.layer_count() == 3


@case
def good_by_digest(bed):
    name = bed.registry.add(Image())
    assert bed.works("/a/b@" + name) == name


@case
def good_no_layers(bed):
    image = Image()
    image.layers, image.config["rootfs"]["diff_ids"] = [], []
    bed.registry.add(image)
    bed.works()


@case
def index_by_platform(bed):
    entries = []
    for architecture, variant in (("arm", "v6"), ("arm", "v7"), ("s390x", None)):
        image = Image([tar(which=(architecture + str(variant)).encode())], architecture=architecture)
        name = bed.registry.add(image, tag=architecture + str(variant))
        platform = {"os": "linux", "architecture": architecture}
        if variant:
            platform["variant"] = variant
        entries.append({"mediaType": OCI + "manifest.v1+json", "digest": name, "size": len(bed.registry.documents[name][0]),
                        "platform": platform})
    entries.insert(0, {"mediaType": OCI + "manifest.v1+json", "digest": digest(b"x"), "size": 1,
                       "platform": {"os": "unknown", "architecture": "unknown"},
                       "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
    top = bed.registry.add_index(entries)
    assert bed.works("/a/b", "linux/arm/v7") == entries[2]["digest"]
    assert bed.works("/a/b", "linux/arm/v6") == entries[1]["digest"]
    assert bed.works("/a/b@" + top, "linux/s390x") == entries[3]["digest"]
    bed.registry.documents.pop("latest")
    answer = bed.pull("/a/b@" + top, "linux/riscv64")
    assert "linux/arm/v7" in answer["error"] and "unknown" not in answer["error"], answer


@case
def two_pulls_share_the_work(bed):
    image = Image()
    bed.registry.add(image)
    gate = threading.Event()

    def slow(handler):
        if "/blobs/" + digest(image.layers[1]) in handler.path:
            gate.wait(20)
        return False
    bed.registry.hook = slow
    first, second = bed.start(), bed.start("/other/name")
    deadline = time.monotonic() + 20
    while bed.registry.count("/other/name/manifests") == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    gate.set()
    assert "done" in bed.finish(first)
    assert "done" in bed.finish(second)
    for blob in image.layers:
        assert bed.registry.count(digest(blob)) == 1, bed.registry.log


def entries(*rows):
    """A tar from rows: a path, and for a file its text; names that end with '/' are directories."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text, *more in rows:
            info = tarfile.TarInfo(path.rstrip("/"))
            if path.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif text and text.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, text[2:]
            info.size = len(text or "") if info.isreg() else 0
            for key, value in dict(*more).items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO((text or "").encode()))
    return out.getvalue()


def merged(bed, layers):
    """What overlayfs shows of the layers: path -> text, link, or None for a directory."""
    where = os.path.join(bed.dir, "merged")
    os.makedirs(where, exist_ok=True)
    script = "import os,json,stat\nseen = {}\nfor d, ds, fs in os.walk('.'):\n for n in ds + fs:\n" \
             "  p = os.path.join(d, n); m = os.lstat(p).st_mode\n" \
             "  seen[p[2:]] = '->' + os.readlink(p) if stat.S_ISLNK(m) else open(p).read() if stat.S_ISREG(m)" \
             " else None if stat.S_ISDIR(m) else 'device'\nprint(json.dumps(seen))"
    command = "mount -t overlay overlay -o lowerdir=%s %s && cd %s && exec python3 -c \"$0\"" % (
        ":".join(reversed(layers)), where, where)
    done = subprocess.run(["unshare", "-m", "sh", "-c", command, script], capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@case
def layers_hide_what_they_should(bed):
    bed.registry.add(Image([
        entries(("a/", None), ("a/one", "1"), ("a/two", "2"), ("b/", None), ("b/x", "x"), ("b/sub/", None), ("b/sub/y", "y"),
                ("c/", None), ("c/f", "f"), ("d/", None), ("d/old", "old"), ("e", "file"), ("gone/", None), ("gone/f", "f"),
                ("f/", None), ("f/deep/", None), ("f/deep/x", "x"), ("g/", None), ("g/x", "x"), (".wh.nothing", ""),
                ("own/", None, {"uid": 7, "gid": 8, "mode": 0o711}), ("own/in/", None, {"uid": 9, "mode": 0o700}),
                ("link", "->a"), ("h/", None), ("h/x", "x")),
        entries(("a/.wh.one", ""), ("b/new", "new"), ("b/.wh..wh..opq", ""), ("c", "now a file"), (".wh.d", ""), ("d/", None),
                ("d/new", "new"), (".wh.e", ""), ("e/", None), ("e/in", "in"), (".wh.gone", ""), ("f/.wh..wh..opq", ""),
                ("f/.wh.deep", ""), ("g/", None), ("g/y", "y"), (".wh.g", ""), ("own/in/new", "new"), ("link", "now a file"),
                (".wh.h", ""), ("h/deep/new", "new")),
        entries((".wh.e", ""), ("b/.wh.new", ""), ("top", "top")),
    ]))
    bed.works()
    with open(os.path.join(bed.root, "images.json")) as f:
        layers = [os.path.join(bed.root, "layers", n) for n in json.load(f)["images"][0]["layers"]]
    seen = merged(bed, layers)
    assert seen == {
        "a": None, "a/two": "2", "b": None, "c": "now a file", "d": None, "d/new": "new", "f": None, "g": None, "g/y": "y",
        "own": None, "own/in": None, "own/in/new": "new", "link": "now a file", "top": "top", "h": None, "h/deep": None,
        "h/deep/new": "new"}, seen
    st = [os.lstat(os.path.join(layers[1], p)) for p in ("own", "own/in")]
    assert [(s.st_uid, s.st_gid, s.st_mode & 0o7777) for s in st] == [(7, 8, 0o711), (9, 0, 0o700)], "taken from below"


# --- Names and documents --------------------------------------------------------------------------------------------

@case
def no_such_image(bed):
    bed.fails("has no 'latest' of 'a/b'", "not here", "check the name")


@case
def bad_reference(bed):
    bed.fails("lower case", args=("127.0.0.1:1/Upper",))


@case
def manifest_digest_wrong(bed):
    bed.registry.add(Image())
    name = "sha256:" + "0" * 64
    bed.registry.documents[name] = bed.registry.documents["latest"]
    bed.fails("digest", name, args=("/a/b@" + name,))


@case
def manifest_too_large(bed):
    body = json.dumps(dict(Image().manifest(), pad="x" * (5 << 20))).encode()
    bed.registry.add(Image(), body=body)
    bed.fails("larger than 4194304")


@case
def manifest_not_json(bed):
    bed.registry.documents["latest"] = (b"<html>hello</html>", "text/html")
    bed.fails("manifest")


@case
def manifest_deep(bed):
    bed.registry.documents["latest"] = (b'{"a":' + b"[" * 100000, OCI + "manifest.v1+json")
    bed.fails("manifest")


@case
def manifest_both(bed):
    image = Image()
    image.extra = {"manifests": []}
    bed.registry.add(image)
    bed.fails("both layers and manifests")


@case
def manifest_called_index(bed):
    bed.registry.add(Image(), content_type=OCI + "index.v1+json")
    bed.fails("which it is not")


@case
def manifest_calls_itself_index(bed):
    image = Image()
    image.extra = {"mediaType": OCI + "index.v1+json"}
    bed.registry.add(image)
    bed.fails("which it is not")


@case
def manifest_schema1(bed):
    bed.registry.documents["latest"] = (b'{"schemaVersion": 1, "fsLayers": []}', DOCKER + "distribution.manifest.v1+json")
    bed.fails("schema 1", "push the image again")


@case
def manifest_duplicate_key(bed):
    body = json.dumps(Image().manifest())
    bed.registry.documents["latest"] = (body[:-1].encode() + b', "layers": []}', OCI + "manifest.v1+json")
    bed.fails("duplicate")


@case
def not_an_image(bed):
    image = Image()
    bed.registry.add(image)
    document = image.manifest()
    document["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    bed.registry.documents["latest"] = (json.dumps(document).encode(), OCI + "manifest.v1+json")
    bed.fails("not an image", "helm")


@case
def digest_is_a_path(bed):
    for bad in ("sha256:../../../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "0" * 32, "sha256:" + "0" * 63, "", "../x"):
        image = Image()
        image.descriptors = [{"mediaType": OCI + "layer.v1.tar", "digest": bad, "size": 3}]
        bed.registry.add(image)
        bed.fails("not a digest")
    assert bed.registry.count("passwd") == 0


@case
def too_many_layers(bed):
    image = Image()
    image.descriptors = [{"mediaType": OCI + "layer.v1.tar", "digest": digest(b""), "size": 0}] * 501
    bed.registry.add(image)
    bed.fails("501 layers")


@case
def layer_counts_differ(bed):
    image = Image()
    image.config["rootfs"]["diff_ids"].pop()
    bed.registry.add(image)
    bed.fails("the configuration 2")


@case
def negative_size(bed):
    image = Image()
    image.descriptors = [{"mediaType": OCI + "layer.v1.tar", "digest": digest(b""), "size": -1}]
    bed.registry.add(image)
    bed.fails("out of range")


@case
def config_content_wrong(bed):
    image = Image()
    bed.registry.add(image)
    config = json.dumps(image.config).encode()
    bed.registry.blobs[digest(config)] = config.replace(b"A=1", b"A=2")
    bed.fails("image configuration", "digest")


@case
def config_for_another_platform(bed):
    bed.registry.add(Image(architecture="s390x"))
    bed.fails("made for linux/s390x", args=("/a/b", "linux/arm64"))


@case
def index_in_index(bed):
    name = bed.registry.add_index([])
    entry = {"mediaType": OCI + "index.v1+json", "digest": name, "size": len(bed.registry.documents[name][0]),
             "platform": {"os": "linux", "architecture": "s390x"}}
    bed.registry.add_index([entry])
    bed.fails("index inside an index", args=("/a/b", "linux/s390x"))


# --- Layers -----------------------------------------------------------------------------------------------------------

@case
def layer_content_wrong(bed):
    image = Image()
    bed.registry.add(image)
    other = gzip.compress(tar(evil=b"evil"))
    bed.registry.blobs[digest(image.layers[0])] = other + b"\0" * (len(image.layers[0]) - len(other))
    image.layers[0] = image.layers[0].ljust(len(other), b"\0")
    bed.fails("layer")
    assert not any("evil" in names for names in map(os.listdir, layer_dirs(bed)))


def layer_dirs(bed):
    top = os.path.join(bed.root, "layers")
    return [os.path.join(top, name) for name in os.listdir(top)]


@case
def layer_diff_id_wrong(bed):
    image = Image([tar(x=b"1")])
    image.config["rootfs"]["diff_ids"] = [digest(b"something else")]
    bed.registry.add(image)
    bed.fails("layer", digest(b"something else"), "damaged")
    assert bed.layer_count() == 0


@case
def layer_missing(bed):
    image = Image()
    bed.registry.add(image)
    del bed.registry.blobs[digest(image.layers[1])]
    bed.fails("layer", "404")


@case
def layer_too_long(bed):
    image = Image()
    bed.registry.add(image)
    bed.registry.blobs[digest(image.layers[0])] += b"more"
    bed.fails("layer", "larger than")


@case
def layer_too_short(bed):
    image = Image()
    bed.registry.add(image)
    bed.registry.blobs[digest(image.layers[1])] = image.layers[1][:1000]
    bed.fails("layer", "1000 bytes of")


@case
def foreign_layer_urls_are_not_asked(bed):
    image = Image()
    image.descriptors = [dict(layer, urls=["http://%s/secret" % bed.other.host]) for layer in image.manifest()["layers"]]
    bed.registry.add(image)
    bed.works()
    assert not bed.other.log


# --- Connections that break -------------------------------------------------------------------------------------------

def cut(bed, image, at, times=1, then=None):
    """The big layer breaks off at `at`, for the first answers."""
    left = [times]

    def hook(handler):
        if digest(image.layers[1]) not in handler.path:
            return False
        if left[0] == 0:
            return then(handler) if then else False
        left[0] -= 1
        handler.answer(200, image.layers[1][:at], length=len(image.layers[1]))
        handler.close_connection = True
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        return True
    bed.registry.hook = hook


@case
def broken_download_is_resumed(bed):
    image = Image()
    bed.registry.add(image)
    cut(bed, image, 1 << 20)
    bed.works()
    ranges = [line[2] for line in bed.registry.log if line[2]]
    assert ranges == ["bytes=%d-" % (1 << 20)], ranges


@case
def range_ignored(bed):
    image = Image()
    bed.registry.add(image)
    cut(bed, image, 1 << 20, then=lambda handler: handler.answer(200, image.layers[1]))
    bed.works()


@case
def range_refused(bed):
    image = Image()
    bed.registry.add(image)
    cut(bed, image, 1 << 20, then=lambda handler: handler.error(416, "no") if handler.headers["Range"] else False)
    bed.works()


@case
def range_wrong_place(bed):
    image = Image()
    bed.registry.add(image)
    cut(bed, image, 1 << 20, then=lambda handler: handler.answer(
        206, image.layers[1][5:], {"Content-Range": "bytes 5-%d/%d" % (len(image.layers[1]) - 1, len(image.layers[1]))}))
    bed.fails("Range")


@case
def always_breaks(bed):
    image = Image()
    bed.registry.add(image)
    cut(bed, image, 1000, times=100)
    bed.fails("layer", bed.registry.host)
    assert bed.registry.count(digest(image.layers[1])) == 3, "the first time and two retries"


@case
def stalls_and_resumes(bed):
    image = Image()
    bed.registry.add(image)
    state = {"first": True}

    def hook(handler):
        if digest(image.layers[1]) not in handler.path or not state.pop("first", False):
            return False
        handler.answer(200, image.layers[1][:1 << 20], length=len(image.layers[1]))
        bed.registry.release.wait(30)
        return True
    bed.registry.hook = hook
    try:
        bed.works()
    finally:
        bed.registry.release.set()
    assert [line[2] for line in bed.registry.log if line[2]] == ["bytes=%d-" % (1 << 20)]


@case
def hangs(bed):
    bed.registry.hook = lambda handler: bed.registry.release.wait(30)
    try:
        bed.fails("does not answer", bed.registry.host)
    finally:
        bed.registry.release.set()


@case
def refused(bed):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        host = "127.0.0.1:%d" % s.getsockname()[1]
    bed.fails(host, "connect", args=(host + "/a/b",))


@case
def no_such_host(bed):
    bed.fails("registry.invalid", "no address", args=("registry.invalid/a/b",))


@case
def plain_http_hint(bed):
    bed.config["registries"] = {"localhost.localdomain": {}}
    port = bed.registry.host.split(":")[1]
    with open("/etc/hosts") as f:
        names = [n for line in f for n in line.split("#")[0].split()[1:] if line.startswith("127.") and n != "localhost" and "." in n]
    if names:
        bed.fails("plain_http", args=("%s:%s/a/b" % (names[0], port),))


@case
def killed_and_resumed(bed):
    image = Image()
    bed.registry.add(image)
    state = {"first": True}

    def hook(handler):
        if digest(image.layers[1]) not in handler.path or not state.pop("first", False):
            return False
        handler.answer(200, image.layers[1][:1 << 20], length=len(image.layers[1]))
        bed.registry.release.wait(30)
        return True
    bed.registry.hook = hook
    bed.config["stall_timeout"] = 60
    process = bed.start()
    partial = os.path.join(bed.root, "blobs", "partial")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if max(os.stat(os.path.join(partial, n)).st_size for n in os.listdir(partial)) == 1 << 20:
                break
        except (OSError, ValueError):
            pass
        time.sleep(0.01)
    process.kill()
    process.communicate()
    bed.registry.release.set()
    assert bed.leftovers(), "there was something to clean"
    bed.works()
    assert [line[2] for line in bed.registry.log if line[2]] == ["bytes=%d-" % (1 << 20)]


@case
def damaged_partial_starts_over(bed):
    image = Image()
    bed.registry.add(image)
    cut(bed, image, 1 << 20, times=100)
    bed.fails("layer")
    bed.registry.hook = None
    (name,) = [n for n in bed.partials() if os.stat(os.path.join(bed.root, "blobs/partial", n)).st_size == 1 << 20]
    with open(os.path.join(bed.root, "blobs/partial", name), "r+b") as f:
        f.seek(500000)
        f.write(b"damage" * 100)
    bed.works()


# --- Too busy ---------------------------------------------------------------------------------------------------------

def passing(status, times, headers=None):
    left = [times]

    def hook(handler):
        if left[0] == 0:
            return False
        left[0] -= 1
        handler.error(status, "slow down", headers)
        return True
    return hook


@case
def busy_then_fine(bed):
    bed.registry.add(Image())
    bed.registry.hook = passing(429, 2, {"Retry-After": "0"})
    bed.works()
    assert any(line.get("status") == "Retrying" for line in bed.lines)


@case
def retry_after_is_obeyed(bed):
    bed.registry.add(Image())
    bed.registry.hook = passing(503, 1, {"Retry-After": "1"})
    start = time.monotonic()
    bed.works()
    assert time.monotonic() - start >= 1


@case
def always_busy(bed):
    bed.registry.hook = passing(429, 100, {"Retry-After": "0"})
    bed.fails("429", "slow down", "log in")
    assert len(bed.registry.log) == 3


@case
def broken_server(bed):
    bed.registry.hook = passing(500, 100)
    bed.fails("answers 500", "slow down")


@case
def forbidden(bed):
    bed.registry.hook = passing(403, 100)
    bed.fails("refuses access", "slow down")
    assert len(bed.registry.log) == 1


# --- Credentials ------------------------------------------------------------------------------------------------------

def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


def guard(expected, challenge):
    def hook(handler):
        if handler.headers.get("Authorization") == expected or handler.path.startswith("/token"):
            return False
        handler.error(401, "who are you", {"WWW-Authenticate": challenge})
        return True
    return hook


@case
def basic_without_credentials(bed):
    bed.registry.hook = guard("x", 'Basic realm="r"')
    bed.fails("user name and password", "docker login " + bed.registry.host)


@case
def basic_with_credentials(bed):
    bed.registry.add(Image())
    bed.credentials(auths={bed.registry.host: {"auth": base64.b64encode(b"me:pa:ss").decode()}})
    bed.registry.hook = guard(basic("me", "pa:ss"), 'Basic realm="r"')
    bed.works()
    assert bed.registry.log[0][1] is None, "nothing is sent before it is asked for"


@case
def basic_wrong_credentials(bed):
    bed.credentials(auths={"https://%s/v1/" % bed.registry.host: {"auth": base64.b64encode(b"me:wrong").decode()}})
    bed.registry.hook = guard(basic("me", "right"), 'Basic realm="r"')
    bed.fails("refuses access", "who are you")


@case
def damaged_credentials(bed):
    bed.credentials(auths={bed.registry.host: {"auth": "%%%"}})
    bed.fails("base64", "config.json")


def token_hook(server, answer, expected="Bearer secret", challenge=None):
    challenge = challenge or 'Bearer realm="http://%s/token",service="the service",scope="repository:x:pull"' % server.host

    def hook(handler):
        if handler.path.startswith("/token"):
            handler.answer(*answer(handler))
            return True
        return guard(expected, challenge)(handler)
    return hook


@case
def token_anonymous(bed):
    bed.registry.add(Image())
    bed.registry.hook = token_hook(bed.registry, lambda h: (200, b'{"token": "secret", "expires_in": 60}'))
    bed.works()
    asked = [line for line in bed.registry.log if line[0].startswith("/token")]
    assert len(asked) == 1 and asked[0][1] is None, asked
    assert asked[0][0] == "/token?service=the%20service&scope=repository%3Aa%2Fb%3Apull", asked


@case
def token_with_credentials(bed):
    bed.registry.add(Image())
    bed.credentials(auths={bed.registry.host: {"username": "me", "password": "pw"}})
    bed.registry.hook = token_hook(bed.registry, lambda h: (200, b'{"access_token": "secret"}')
                                   if h.headers.get("Authorization") == basic("me", "pw") else (401, b""))
    bed.works()


@case
def token_with_identity(bed):
    bed.registry.add(Image())
    bed.credentials(auths={bed.registry.host: {"identitytoken": "id&token"}})
    bed.registry.hook = token_hook(bed.registry, lambda h: (200, b'{"token": "secret"}'))
    bed.works()
    asked = [line for line in bed.registry.log if line[0].startswith("/token")]
    assert "refresh_token=id%26token" in asked[0][3] and "grant_type=refresh_token" in asked[0][3], asked


@case
def token_refused(bed):
    bed.registry.hook = token_hook(bed.registry, lambda h: (401, b'{"errors": [{"message": "bad password"}]}'))
    bed.fails("refuses access to 'a/b'", "bad password")


@case
def token_useless(bed):
    for body in (b"{}", b"[]", b'{"token": "a b"}', b'{"token": "a\\r\\nX: y"}', b"x" * (2 << 20), b'{"token": 5}'):
        bed.registry.hook = token_hook(bed.registry, lambda h, body=body: (200, body))
        bed.fails("token server")


@case
def token_expired_is_fetched_again(bed):
    bed.registry.add(Image())
    tokens = []

    def hook(handler):
        if handler.path.startswith("/token"):
            tokens.append("secret%d" % len(tokens))
            handler.answer(200, json.dumps({"token": tokens[-1]}).encode())
            return True
        if "/blobs/" in handler.path and len(tokens) < 2:
            tokens_valid = None
        else:
            tokens_valid = "Bearer " + tokens[-1] if tokens else None
        if handler.headers.get("Authorization") != tokens_valid or tokens_valid is None:
            handler.error(401, "expired", {"WWW-Authenticate": 'Bearer realm="http://%s/token"' % bed.registry.host})
            return True
        return False
    bed.registry.hook = hook
    bed.works()
    assert len(tokens) == 2, tokens


@case
def token_realm_moves(bed):
    bed.registry.add(Image())
    bed.credentials(auths={bed.registry.host: {"username": "me", "password": "pw"}})
    first = 'Bearer realm="http://%s/token"' % bed.registry.host
    moved = 'Bearer realm="http://%s/token"' % bed.other.host

    def hook(handler):
        if handler.path.startswith("/token"):
            handler.answer(200, b'{"token": "secret"}')
            return True
        if "/blobs/" in handler.path:
            handler.error(401, "again", {"WWW-Authenticate": moved})
            return True
        return guard("Bearer secret", first)(handler)
    bed.registry.hook = hook
    bed.fails("another place for a token")
    assert not bed.other.log


@case
def several_challenges(bed):
    bed.registry.add(Image())
    bed.registry.hook = token_hook(bed.registry, lambda h: (200, b'{"token": "secret"}'), challenge=[
        'Negotiate, Basic realm="a, b=\\"c\\""', 'Bearer service="s",realm="http://%s/token"' % bed.registry.host])
    bed.works()


@case
def unknown_challenge(bed):
    bed.registry.hook = guard("x", "Negotiate")
    bed.fails("unknown kind")


def helper(bed, script, **document):
    path = os.path.join(bed.dir, "bin")
    os.makedirs(path)
    name = os.path.join(path, "docker-credential-test")
    with open(name, "w") as f:
        f.write("#!/bin/sh\n" + script)
    os.chmod(name, 0o755)
    bed.env["PATH"] = path + ":" + bed.env["PATH"]
    bed.credentials(**document)


@case
def credential_helper(bed):
    bed.registry.add(Image())
    helper(bed, 'read -r host; [ "$1" = get ] && printf \'{"ServerURL":"%s","Username":"me","Secret":"from helper"}\' "$host"\n',
           credHelpers={bed.registry.host: "test"})
    bed.registry.hook = guard(basic("me", "from helper"), "Basic")
    bed.works()


@case
def credential_store_has_nothing(bed):
    bed.registry.add(Image())
    helper(bed, "echo credentials not found in native keychain; exit 1\n", credsStore="test")
    bed.works()


@case
def credential_helper_fails(bed):
    helper(bed, "echo locked; exit 1\n", credsStore="test")
    bed.fails("docker-credential-test", "locked")


@case
def credential_helper_is_a_path(bed):
    bed.credentials(credsStore="../../../tmp/evil")
    bed.fails("not the name of a credential helper")


# --- Redirects --------------------------------------------------------------------------------------------------------

def redirect(bed, location, challenge=True):
    bed.credentials(auths={bed.registry.host: {"username": "me", "password": "pw"}})
    inner = guard(basic("me", "pw"), "Basic")

    def hook(handler):
        if challenge and inner(handler):
            return True
        if "/blobs/" not in handler.path or "moved" in handler.path:
            return False
        handler.answer(307, b"", {"Location": location(handler.path)})
        return True
    bed.registry.hook = hook


@case
def redirect_elsewhere_without_credentials(bed):
    bed.registry.add(Image())
    bed.other.blobs = bed.registry.blobs
    redirect(bed, lambda path: "http://%s%s" % (bed.other.host, path))
    bed.works()
    assert len(bed.other.log) == 4 and all(line[1] is None for line in bed.other.log), bed.other.log


@case
def redirect_elsewhere_that_asks(bed):
    bed.registry.add(Image())
    redirect(bed, lambda path: "http://%s%s" % (bed.other.host, path))
    bed.other.hook = guard("x", 'Basic realm="give me"')
    bed.fails("refuses access")
    assert all(line[1] is None for line in bed.other.log), bed.other.log


@case
def redirect_at_home_keeps_credentials(bed):
    bed.registry.add(Image())
    redirect(bed, lambda path: "/v2/moved/blobs/" + path.split("/")[-1])
    bed.works()


@case
def redirect_loop(bed):
    bed.registry.add(Image())
    redirect(bed, lambda path: path)
    bed.fails("redirects more than 10 times")


@case
def redirect_to_odd_places(bed):
    bed.registry.add(Image())
    for place in ("file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:pass@%s/x" % bed.other.host, "http://", "gopher://x/"):
        redirect(bed, lambda path, place=place: place)
        bed.fails("redirects")
    assert not bed.other.log


@case
def redirect_without_location(bed):
    bed.registry.add(Image())
    bed.registry.hook = lambda handler: "/blobs/" in handler.path and (handler.answer(302) or True)
    bed.fails("redirects")


# --- Mirrors and configuration ----------------------------------------------------------------------------------------

@case
def mirror_serves_the_hub(bed):
    bed.registry.add(Image())
    bed.config["registries"] = {"docker.io": {"mirrors": ["http://" + bed.registry.host]}}
    bed.works("nginx")
    assert bed.registry.count("/v2/library/nginx/manifests/latest") == 1


@case
def mirror_fails_over(bed):
    bed.registry.add(Image())
    bed.config["registries"] = {bed.registry.host: {"mirrors": ["http://" + bed.other.host]}}
    bed.other.hook = passing(404, 100)
    bed.works()
    assert bed.other.count("/manifests/") == 1 and bed.other.count("/blobs/") == 0


@case
def mirror_and_origin_fail(bed):
    bed.config["registries"] = {bed.registry.host: {"mirrors": ["http://" + bed.other.host]}}
    text = bed.fails(bed.registry.host, "has no")
    assert bed.registry.count("/manifests/") == 1, text


@case
def mirror_does_not_get_credentials(bed):
    bed.registry.add(Image())
    bed.credentials(auths={bed.registry.host: {"username": "me", "password": "pw"}})
    bed.config["registries"] = {bed.registry.host: {"mirrors": ["http://" + bed.other.host]}}
    bed.other.hook = guard("x", "Basic")
    bed.works()
    assert all(line[1] is None for line in bed.other.log)


@case
def configuration_is_checked(bed):
    for config, word in (({"mirors": []}, "mirors"), ({"registries": {"a.b": {"plain-http": True}}}, "plain-http"),
                         ({"registries": {"docker.io": {"mirrors": ["ftp://x"]}}}, "ftp://x"), ({"retries": "many"}, "retries"),
                         ({"stall_timeout": -1}, "stall_timeout"), ({"registries": []}, "registries")):
        bed.config = config
        bed.fails("registries.json", word, args=("nginx",))


# --- TLS, by way of a proxy that makes every name lead here ---------------------------------------------------------------

class Proxy(socketserver.ThreadingTCPServer):
    """CONNECT to anywhere ends at `port`."""
    daemon_threads = True

    def __init__(self, port):
        self.port, self.asked = port, []
        super().__init__(("127.0.0.1", 0), self.Tunnel)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self):
            self.server.asked.append(self.rfile.readline().split()[1].decode())
            while self.rfile.readline().strip():
                pass
            with socket.create_connection(("127.0.0.1", self.server.port)) as inner:
                self.wfile.write(b"HTTP/1.1 200 fine\r\n\r\n")
                threading.Thread(target=self.copy, args=(inner, self.connection), daemon=True).start()
                self.copy(self.connection, inner)

        @staticmethod
        def copy(source, target):
            try:
                while data := source.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass


def serve_tls(bed):
    """The other registry with TLS, as registry.test; https_proxy leads to it."""
    cert, key = os.path.join(bed.dir, "cert.pem"), os.path.join(bed.dir, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=registry.test", "-addext", "subjectAltName=DNS:registry.test", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    bed.tls = Registry()
    bed.tls.socket = context.wrap_socket(bed.tls.socket, server_side=True)
    bed.proxy = Proxy(bed.tls.server_address[1])
    bed.env["https_proxy"] = "http://127.0.0.1:%d" % bed.proxy.server_address[1]
    bed.env["no_proxy"] = "127.0.0.1"
    bed.tls.add(Image([tar(x=b"secret")]))
    return cert


@case
def tls_unknown_authority(bed):
    serve_tls(bed)
    bed.fails("registry.test", "certificate", "/etc/docker/certs.d/registry.test/ca.crt", args=("registry.test/a/b",))
    assert not bed.tls.log and bed.proxy.asked == ["registry.test:443"]


@case
def tls_known_authority(bed):
    bed.config["registries"] = {"registry.test": {"ca": serve_tls(bed)}}
    bed.works("registry.test/a/b")


@case
def tls_wrong_name(bed):
    bed.config["registries"] = {"other.test": {"ca": serve_tls(bed)}}
    bed.fails("other.test", args=("other.test/a/b",))
    assert not bed.tls.log


@case
def tls_unchecked(bed):
    serve_tls(bed)
    bed.config["registries"] = {"registry.test": {"insecure": True}}
    bed.works("registry.test/a/b")


@case
def tls_is_not_left(bed):
    """From https neither a redirect nor a token server leads to plain http."""
    bed.config["registries"] = {"registry.test": {"ca": serve_tls(bed)}}
    bed.tls.hook = lambda h: "/blobs/" in h.path and (
        h.answer(307, b"", {"Location": "http://%s%s" % (bed.registry.host, h.path)}) or True)
    bed.fails("redirects from https", args=("registry.test/a/b",))
    bed.credentials(auths={"registry.test": {"username": "me", "password": "pw"}})
    bed.tls.hook = guard("x", 'Bearer realm="http://%s/token"' % bed.registry.host)
    bed.fails("not https", args=("registry.test/a/b",))
    assert not bed.registry.log


@case
def tls_on_a_loopback_registry(bed):
    """Plain http is tried there first, and TLS when that is what answers."""
    serve_tls(bed)
    bed.works(bed.tls.host + "/a/b")


@case
def tls_authority_is_missing(bed):
    bed.config["registries"] = {"registry.test": {"ca": "/nonexistent.pem"}}
    bed.fails("/nonexistent.pem", args=("registry.test/a/b",))


# --- The processes ----------------------------------------------------------------------------------------------------

def children_of(pid):
    """Status fields of the children of a process, with what /proc says besides."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/status" % name) as f:
                fields = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            if fields["PPid"] == str(pid):
                fields["net"] = os.readlink("/proc/%s/ns/net" % name)
                fields["root"] = sorted(os.listdir("/proc/%s/root" % name))
                fields["stderr"] = os.readlink("/proc/%s/fd/2" % name)
                found.append(fields)
        except (OSError, KeyError):
            pass
    return found


@case
def processes_are_confined(bed):
    """While one layer is on its way: what each child may do."""
    image = Image()
    bed.registry.add(image)

    def hook(handler):
        if digest(image.layers[1]) not in handler.path:
            return False
        handler.answer(200, image.layers[1][:1 << 20], length=len(image.layers[1]))
        bed.registry.release.wait(30)
        return True
    bed.registry.hook = hook
    bed.config["stall_timeout"] = 60
    process = bed.start()
    deadline, children = time.monotonic() + 20, []
    try:
        while time.monotonic() < deadline:
            children = children_of(process.pid)
            done = len(os.listdir(os.path.join(bed.root, "layers"))) if os.path.isdir(os.path.join(bed.root, "layers")) else 0
            if len(children) == 3 and done == 3 and all(c["Seccomp"] == "2" for c in children):
                break
            time.sleep(0.01)
        assert len(children) == 3, children
        own = os.readlink("/proc/self/ns/net")
        for child in children:
            assert child["NoNewPrivs"] == "1" and child["Seccomp"] == "2" and int(child["CapInh"], 16) == 0, child
            assert int(child["CapEff"], 16) == int(child["CapPrm"], 16) == int(child["CapBnd"], 16), child
            assert child["NSsid"].split()[0] == child["Pid"], "it has the caller's terminal: %s" % child
            assert bed.is_sanitized() or child["stderr"].endswith("/null"), child
        nobody = [c for c in children if c["Uid"].split() == ["65534"] * 4 and c["Gid"].split() == ["65534"] * 4]
        assert len(nobody) == 2 and all(int(c["CapEff"], 16) == 0 and not c["Groups"].strip() for c in nobody), nobody
        assert sorted(c["net"] == own for c in nobody) == [False, True], "only fetch has the network"
        (unpack,) = [c for c in children if c not in nobody]
        allowed = sum(1 << bit for bit in (0, 1, 3, 4, 27, 31))  # chown dac_override fowner fsetid mknod setfcap
        assert int(unpack["CapEff"], 16) == allowed and unpack["net"] != own, unpack
        assert unpack["root"] in ([], ["big"]), unpack["root"]
    finally:
        process.kill()
        process.communicate()
        bed.registry.release.set()
    deadline = time.monotonic() + 10
    while any(os.path.exists("/proc/%s" % c["Pid"]) for c in children) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(os.path.exists("/proc/%s" % c["Pid"]) for c in children), "children outlive their parent"


@case
def killed_at_any_time(bed):
    image = Image([tar(**{"f%d" % n: os.urandom(20000) for n in range(40)}) for _ in range(4)])
    bed.registry.add(image)
    for step in range(15):
        process = bed.start()
        time.sleep(0.013 * step)  # the moment of the blow, not a wait for something
        process.kill()
        process.communicate()
    bed.works()
    assert bed.layer_count() == 4
    for layer in layer_dirs(bed):
        assert len(os.listdir(layer)) == 40, layer


@case
def disk_full(bed):
    bed.registry.add(Image([tar(big=os.urandom(40 << 20))], compress=lambda data: data))
    os.makedirs(bed.root)
    command = "mount -t tmpfs -o size=100m tmpfs %s && exec \"$@\"" % bed.root
    process = subprocess.Popen(["unshare", "-m", "sh", "-c", command, "sh"] + bed.command(), env=bed.env,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    answer = bed.finish(process)
    assert "disk" in answer.get("error", "") and "prune" in answer["hint"], answer


@case
def without_root(bed):
    """As an ordinary user: everything belongs to that user, and devices are left out."""
    bed.registry.add(Image([entries(("d/", None, {"uid": 5, "mode": 0o500}), ("d/f", "f", {"uid": 5, "gid": 6, "mode": 0o4755})),
                            entries((".wh.x", ""), ("e", "e", {"uid": 1000}))]))
    program = os.path.join(bed.dir, "compote-image")
    shutil.copy(bed.program, program)
    os.mkdir(bed.root)
    os.chmod(bed.top, 0o755)
    os.chown(bed.root, 1000, 1000)
    bed.env["HOME"] = bed.root
    command = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"] + [program] + bed.command()[1:]
    answer = bed.finish(subprocess.Popen(command, env=bed.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    assert "done" in answer or "user namespace" in answer["error"], answer
    for layer in layer_dirs(bed):
        for name in os.listdir(layer):
            assert os.lstat(os.path.join(layer, name)).st_uid == 1000, name


def main():
    if os.geteuid() != 0:
        print("needs root")
        return 77
    for tool in ("zstd", "openssl", "setpriv", "unshare"):
        if not shutil.which(tool):
            print("needs " + tool)
            return 77
    bed = Bed(sys.argv[1])
    failures = count = 0
    try:
        for name, function in CASES.items():
            if sys.argv[2:] and name not in sys.argv[2:]:
                continue
            count += 1
            bed.fresh()
            try:
                function(bed)
            except (AssertionError, OSError, subprocess.TimeoutExpired) as problem:
                failures += 1
                print("not ok %s: %s" % (name, problem))
    finally:
        shutil.rmtree(bed.top)
    print("%d cases, %d failures" % (count, failures))
    return 1 if failures or not count else 0


sys.exit(main())
