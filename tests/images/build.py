#!/usr/bin/env python3
"""Builds the test images from Debian packages and pushes them to a registry.

    build.py CACHE REGISTRY [NAME...]      prints each name when that image is in the registry

Each folder beside this file is a build context whose Containerfile also builds with docker build; "# tags:" gives
its tags. It knows FROM, RUN, COPY, ENV, EXPOSE, VOLUME, WORKDIR, USER, LABEL, HEALTHCHECK, STOPSIGNAL, ENTRYPOINT,
CMD. The images at the bottom, which elsewhere come from Docker Hub, are made here: debian:bookworm-slim by
mmdebstrap, and the tree of busybox from busybox-static.

A RUN is a chroot on an overlay in a mount namespace of its own, with the host's network and the package mirrors
that the host's apt uses. Its upper directory becomes the layer. Whiteouts of overlayfs (device 0:0, attribute
trusted.overlay.opaque) become those of the OCI image format (.wh.NAME, .wh..wh..opq).
"""
import dataclasses
import gzip
import hashlib
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BASE = "debian:bookworm-slim"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
DOCKER, OCI = "application/vnd.docker.", "application/vnd.oci.image."

# What the chroot's apt is told: the host's mirrors, through the host's proxy.
APT_HOST = 'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
# Runs in a new mount namespace; arguments: root, upper, work, lower directories, apt directory, then the command.
RUN_SCRIPT = r"""
set -e
root=$1 upper=$2 work=$3 lower=$4 apt=$5; shift 5
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$root"
mount -t proc proc "$root/proc" 2>/dev/null || { mkdir -p "$root/proc"; mount -t proc proc "$root/proc"; }
mkdir -p "$root/dev"; mount --rbind /dev "$root/dev"
if [ -d "$root/etc/apt" ]; then
    mount --bind "$(realpath /etc/resolv.conf)" "$root/etc/resolv.conf"
    mount --bind "$apt/sources.list" "$root/etc/apt/sources.list"
    mount --bind "$apt/apt.conf" "$root/etc/apt/apt.conf.d/00host"
    mount --bind "$apt/lists" "$root/var/lib/apt/lists"
    mount --bind "$apt/archives" "$root/var/cache/apt/archives"
    if [ -d /etc/ssl/certs ] && [ -d "$root/etc/ssl/certs" ]; then mount --bind /etc/ssl/certs "$root/etc/ssl/certs"; fi
fi
exec chroot "$root" "$@"
"""


def say(text):
    print(f"images: {text}", file=sys.stderr, flush=True)


def run(*argv, **options):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    if done.returncode:
        sys.exit(f"{done.stdout[-4000:]}\nimages: '{shlex.join(map(str, argv))[:200]}' ended with {done.returncode}")
    return done.stdout


# --- Layers -----------------------------------------------------------------------------------------------------

class Digester:
    """A file that writes on and knows the SHA-256 and size of what went through."""
    def __init__(self, to):
        self.to, self.sha, self.size = to, hashlib.sha256(), 0

    def write(self, data):
        self.sha.update(data)
        self.size += len(data)
        return self.to.write(data)

    def flush(self):
        self.to.flush()

    @property
    def digest(self):
        return "sha256:" + self.sha.hexdigest()


@dataclasses.dataclass
class Layer:
    path: str
    digest: str
    size: int
    diff_id: str
    directory: str


def is_whiteout(status):
    return (status.st_mode & 0o170000) == 0o020000 and status.st_rdev == 0


def is_opaque(path):
    try:
        return os.getxattr(path, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False


def add_entry(tar, path, name):
    status = os.lstat(path)
    if is_whiteout(status):
        info = tarfile.TarInfo(str(pathlib.PurePosixPath(name).parent / (".wh." + os.path.basename(name))))
        info.mtime = int(status.st_mtime)
        tar.addfile(info)
        return
    info = tar.gettarinfo(path, name)
    if info is None:  # a socket
        return
    info.uname = info.gname = ""
    info.mtime = int(info.mtime)
    try:
        capability = os.getxattr(path, "security.capability", follow_symlinks=False)
        info.pax_headers["SCHILY.xattr.security.capability"] = capability.decode("utf-8", "surrogateescape")
    except OSError:
        pass
    if info.isreg():
        with open(path, "rb") as file:
            tar.addfile(info, file)
    else:
        tar.addfile(info)


def make_layer(directory, out, empty=()):
    """Packs a directory; of those in `empty` only the directory itself goes in."""
    with open(out, "wb") as file:
        packed = Digester(file)
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=packed, mtime=0) as zipped:
            plain = Digester(zipped)
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar:
                for top, directories, files in os.walk(directory):
                    inside = os.path.relpath(top, directory)
                    name = "" if inside == "." else inside
                    directories.sort()
                    if name:
                        add_entry(tar, top, name)
                        if is_opaque(top):
                            tar.addfile(tarfile.TarInfo(name + "/.wh..wh..opq"))
                    if name in empty:
                        directories.clear()
                        continue
                    links = [d for d in directories if os.path.islink(os.path.join(top, d))]
                    for entry in sorted(files + links):
                        add_entry(tar, os.path.join(top, entry), os.path.join(name, entry))
    return Layer(out, packed.digest, packed.size, plain.digest, directory)


# --- The images at the bottom -------------------------------------------------------------------------------------

def host_sources():
    """The package mirrors of the host, as lines of a sources.list."""
    def ask():
        form = "deb $(SITE) $(RELEASE) $(COMPONENT)"
        out = subprocess.run(["apt-get", "indextargets", "--format", form, "Created-By: Packages", "Origin: Debian"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        return [line for line in dict.fromkeys(out.splitlines()) if " bookworm" in line]
    lines = ask()
    if not lines:
        subprocess.run(["apt-get", "update", "-q"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        lines = ask()
    return lines or ["deb http://deb.debian.org/debian bookworm main"]


def prepare_apt(directory):
    directory.mkdir(parents=True)
    for name in "lists/partial", "archives/partial":
        (directory / name).mkdir(parents=True)
    (directory / "sources.list").write_text("\n".join(host_sources()) + "\n")
    dump = subprocess.run(["apt-config", "dump"], stdout=subprocess.PIPE, text=True).stdout
    host = [line for line in dump.splitlines() if re.match(r"Acquire::(https?|ftp|Retries|Check-Valid)\b", line)]
    (directory / "apt.conf").write_text(APT_HOST + "\n".join(host) + "\n")


def make_debian(tree, apt):
    exclude = ["doc", "man", "locale", "info", "lintian", "groff"]
    run("mmdebstrap", "--variant=minbase", "--mode=root", "--format=directory", "--quiet",
        f"--aptopt={apt}/apt.conf", "--dpkgopt=force-unsafe-io", *[f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in exclude],
        "--include=ca-certificates", "bookworm", tree, apt / "sources.list")
    for directory in "dev", "var/lib/apt/lists", "var/cache/apt", "var/log":
        for path in (tree / directory).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in "var/cache/apt/archives", "var/log/apt":
        (tree / name).mkdir(parents=True)
    (tree / "etc/apt/apt.conf.d/00host").write_text("")
    (tree / "etc/apt/sources.list").write_text("deb http://deb.debian.org/debian bookworm main\n")
    (tree / "etc/resolv.conf").write_text("")
    policy = tree / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


def make_busybox(tree, _apt):
    for name, mode in ("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("root", 0o700), ("home", 0o755), ("var", 0o755):
        (tree / name).mkdir(parents=True)
        (tree / name).chmod(mode)
    shutil.copy2(shutil.which("busybox"), tree / "bin/busybox")
    for applet in run("busybox", "--list").split():
        if applet != "busybox":
            (tree / "bin" / applet).symlink_to("busybox")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n")
    (tree / "etc/group").write_text("root:x:0:\nusers:x:100:\nnogroup:x:65534:\n")


BOTTOMS = {BASE: make_debian, "busybox": make_busybox}
BOTTOM_CONFIG = {BASE: {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["bash"]},
                 "busybox": {"Env": ["PATH=/bin"], "Cmd": ["sh"]}}


def bottom_layer(cache, name, apt):
    """The tree and layer of a bottom image, kept in the cache under a name that changes with this program."""
    key = hashlib.sha256((HERE / "build.py").read_bytes() + name.encode()).hexdigest()[:16]
    home = cache / "bottom" / f"{name.split(':')[0]}-{key}"
    record = home / "layer.json"
    if not record.exists():
        say(f"making {name}")
        for old in (cache / "bottom").glob(name.split(":")[0] + "-*"):
            shutil.rmtree(old)
        home.mkdir(parents=True)
        BOTTOMS[name](home / "tree", apt)
        layer = make_layer(str(home / "tree"), str(home / "layer.tar.gz"), empty=("proc", "sys", "run", "dev"))
        record.write_text(json.dumps(dataclasses.asdict(layer)))
    return Layer(**json.loads(record.read_text()))


# --- Containerfiles -----------------------------------------------------------------------------------------------

def parse(path):
    """[(instruction, argument)] and the values of the comments that have the form "# key: value"."""
    lines = path.read_text().splitlines()
    notes = dict(re.match(r"# (\w+): (.*)", line).groups() for line in lines if re.match(r"# \w+: ", line))
    text = re.sub(r"\\\n", " ", "\n".join(line for line in lines if not line.startswith("#")))
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()], notes


def command(argument):
    return json.loads(argument) if argument.startswith("[") else ["/bin/sh", "-c", argument]


def seconds(text):
    return int(text.rstrip("s")) * 10**9


def healthcheck(argument):
    options = dict(re.findall(r"--([a-z-]+)=(\S+)", argument))
    test = re.sub(r"--[a-z-]+=\S+\s*", "", argument).split(None, 1)[1]
    check = {"Test": ["CMD"] + json.loads(test) if test.startswith("[") else ["CMD-SHELL", test]}
    for option, key in ("interval", "Interval"), ("timeout", "Timeout"), ("start-period", "StartPeriod"):
        if option in options:
            check[key] = seconds(options[option])
    return check | ({"Retries": int(options["retries"])} if "retries" in options else {})


def set_env(config, argument):
    for pair in shlex.split(argument):
        name = pair.split("=", 1)[0]
        config["Env"] = [e for e in config["Env"] if not e.startswith(name + "=")] + [pair]


# Instructions that only change the configuration: instruction -> function of configuration and argument.
SETTINGS = {
    "ENV": set_env,
    "EXPOSE": lambda c, a: c.setdefault("ExposedPorts", {}).update({f"{p}/tcp": {} for p in a.split()}),
    "VOLUME": lambda c, a: c.setdefault("Volumes", {}).update({a: {}}),
    "WORKDIR": lambda c, a: c.update(WorkingDir=a),
    "USER": lambda c, a: c.update(User=a),
    "LABEL": lambda c, a: c.setdefault("Labels", {}).update(dict(p.split("=", 1) for p in shlex.split(a))),
    "HEALTHCHECK": lambda c, a: c.update(Healthcheck=healthcheck(a)),
    "STOPSIGNAL": lambda c, a: c.update(StopSignal=a),
    "ENTRYPOINT": lambda c, a: (c.update(Entrypoint=command(a)), c.pop("Cmd", None)),
    "CMD": lambda c, a: c.update(Cmd=command(a)),
}


def copy_into(upper, context, argument):
    *sources, target = argument.split()
    for source in sources:
        to = upper / target.lstrip("/")
        if target.endswith("/"):
            to /= os.path.basename(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(context / source, to)


def run_in(upper, lowers, environment, argument, work, apt):
    root, scratch = work / "root", work / "scratch"
    for directory in root, scratch:
        directory.mkdir(exist_ok=True)
    lower = ":".join(layer.directory for layer in reversed(lowers))
    env = dict(e.split("=", 1) for e in environment) | {"DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
    run("unshare", "--mount", "--propagation", "private", "sh", "-c", RUN_SCRIPT, "sh", root, upper, scratch, lower,
        apt, "/bin/sh", "-c", argument, env=env | {"PATH": env["PATH"] + ":/usr/sbin:/usr/bin:/sbin:/bin"})
    shutil.rmtree(scratch)
    # What packaging leaves behind, and the mount points of the script above.
    for rubbish in ["var/lib/apt", "var/cache/apt", "var/cache/debconf", "var/log/apt", "var/log/dpkg.log",
                    "var/log/alternatives.log", "var/cache/ldconfig", "etc/resolv.conf", "proc", "dev", "sys", "run"]:
        path = upper / rubbish
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def build(cache, name, work, apt):
    steps, notes = parse(HERE / name / "Containerfile")
    start = steps[0][1]
    if start == "scratch":  # the busybox image is its tree
        layers, config = [bottom_layer(cache, name, apt)], dict(BOTTOM_CONFIG[name])
    else:
        layers, config = [bottom_layer(cache, start, apt)], dict(BOTTOM_CONFIG[start])
    history = [{"created_by": f"FROM {start}"}]
    for number, (instruction, argument) in enumerate(steps[1:]):
        if instruction in SETTINGS:
            SETTINGS[instruction](config, argument)
            history.append({"created_by": f"{instruction} {argument}", "empty_layer": True})
            continue
        if instruction == "ADD":
            continue
        upper = work / f"upper{number}"
        upper.mkdir()
        if instruction == "COPY":
            copy_into(upper, HERE / name, argument)
        elif instruction == "RUN":
            run_in(upper, layers, config["Env"], argument, work, apt)
        else:
            sys.exit(f"images: {name}/Containerfile: no instruction {instruction} here")
        layers.append(make_layer(str(upper), str(work / f"layer{number}.tar.gz")))
        history.append({"created_by": f"{instruction} {argument}"})
    return layers, config, history, notes


# --- Registry -----------------------------------------------------------------------------------------------------

class Registry:
    def __init__(self, host):
        self.base = f"http://{host}/v2/"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method, url, data=None, headers=None):
        url = url if url.startswith("http") else self.base + url
        return self.opener.open(urllib.request.Request(url, data=data, method=method, headers=headers or {}))

    def put_blob(self, name, digest, size, data):
        try:
            self.call("HEAD", f"{name}/blobs/{digest}")
            return
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
        place = self.call("POST", f"{name}/blobs/uploads/", b"").headers["Location"]
        place += ("&" if "?" in place else "?") + "digest=" + digest
        self.call("PUT", place, data, {"Content-Length": str(size), "Content-Type": "application/octet-stream"})

    def put_bytes(self, name, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.put_blob(name, digest, len(data), data)
        return digest

    def put_manifest(self, name, tag, manifest):
        data = json.dumps(manifest).encode()
        self.call("PUT", f"{name}/manifests/{tag}", data, {"Content-Type": manifest["mediaType"]})
        return "sha256:" + hashlib.sha256(data).hexdigest(), len(data)


def image_config(layers, config, history, architecture):
    return json.dumps({"architecture": architecture, "os": "linux", "created": "2024-01-01T00:00:00Z",
                       "config": config, "history": history,
                       "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}}).encode()


def push(registry, name, layers, config, tag):
    """In Docker's own media types, as most of the public images are."""
    for layer in layers:
        with open(layer.path, "rb") as file:
            registry.put_blob(name, layer.digest, layer.size, file)
    manifest = {"schemaVersion": 2, "mediaType": DOCKER + "distribution.manifest.v2+json",
                "config": {"mediaType": DOCKER + "container.image.v1+json", "size": len(config),
                           "digest": registry.put_bytes(name, config)},
                "layers": [{"mediaType": DOCKER + "image.rootfs.diff.tar.gzip", "size": layer.size,
                            "digest": layer.digest} for layer in layers]}
    return registry.put_manifest(name, tag, manifest)


def push_zstd(registry, name, layers, config, tag, work):
    """The same image with its layers in zstd, which only the OCI media types can tell."""
    rows = []
    for layer in layers:
        out = work / "layer.zst"
        run("sh", "-c", 'gzip -dc "$1" | zstd -q -f -3 -o "$2"', "sh", layer.path, out)
        data = out.read_bytes()
        rows.append({"mediaType": OCI + "layer.v1.tar+zstd", "size": len(data), "digest": registry.put_bytes(name, data)})
    manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "layers": rows,
                "config": {"mediaType": OCI + "config.v1+json", "size": len(config),
                           "digest": registry.put_bytes(name, config)}}
    registry.put_manifest(name, tag, manifest)


def push_index(registry, name, layers, config, history, tags, work):
    """An index that lists an image of another architecture and an attestation around this machine's image."""
    other = "arm64" if ARCH == "amd64" else "amd64"
    tree = work / "other"
    tree.mkdir()
    (tree / "architecture").write_text(other + "\n")
    foreign = make_layer(str(tree), str(work / "other.tar.gz"))
    rows = []
    for architecture, parts in (other, [foreign]), (ARCH, layers):
        data = image_config(parts, config, history[:1], architecture)
        digest, size = push(registry, name, parts, data, architecture)
        rows.append({"mediaType": DOCKER + "distribution.manifest.v2+json", "digest": digest, "size": size,
                     "platform": {"architecture": architecture, "os": "linux"}
                     | ({"variant": "v8"} if architecture == "arm64" else {})})
    rows.append(rows[-1] | {"platform": {"architecture": "unknown", "os": "unknown"},
                            "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
    for tag in tags:
        registry.put_manifest(name, tag, {"schemaVersion": 2, "manifests": rows,
                                          "mediaType": DOCKER + "distribution.manifest.list.v2+json"})


def publish(registry, name, built, work):
    layers, config, history, notes = built
    repository, tags = f"library/{name}", notes["tags"].split()
    data = image_config(layers, config, history, ARCH)
    if "index" in notes:
        push_index(registry, repository, layers, config, history, tags, work)
        return
    for tag in tags:
        push(registry, repository, layers, data, tag)
    push_zstd(registry, repository, layers, data, "zstd", work)


def main():
    cache, host, *names = sys.argv[1:]
    cache = pathlib.Path(cache)
    with tempfile.TemporaryDirectory(prefix="build.", dir=cache) as directory:
        top = pathlib.Path(directory)
        prepare_apt(top / "apt")
        for name in names:
            say(f"building {name}")
            work = top / name
            work.mkdir()
            publish(Registry(host), name, build(cache, name, work, top / "apt"), work)
            shutil.rmtree(work)
            print(name, flush=True)


if __name__ == "__main__":
    main()
