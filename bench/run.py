#!/usr/bin/env python3
"""Measures compote beside Docker Engine with docker compose on this machine, in this run, with the same images.

    bench/run.py [--repeat N] [--services 1,10,50] [NAME...]        names: %s

Each side lives in a network namespace of its own, with a registry of the test images in it; the peer is skipped when
its chroot is not there (bench/peers.sh make). Times are medians of wall time. Needs root.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("COMPOTE_TEST_BUILD", TOP / "build-rel")).resolve()
PEER_HOME = pathlib.Path("/var/tmp/compote-bench")


def quiet(argv, **options):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))[:160]} ended with {done.returncode}:\n{done.stderr[-1500:]}")
    return done.stdout


def timed(argv, **options):
    start = time.monotonic()
    quiet(argv, **options)
    return time.monotonic() - start


def cpu_of(argv, **options):
    """CPU seconds of the command and its children."""
    before = os.times()
    quiet(argv, **options)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def pss_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            match = re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
            total += int(match.group(1)) if match else 0
    return total


def sleepers(count):
    """N sleeping services on one network; killed at once, so that down measures the tool and not their grace."""
    rows = ["services:"]
    for number in range(1, count + 1):
        rows += [f"  s{number}:", "    image: busybox:latest", '    command: ["sleep", "100000"]',
                 "    stop_signal: SIGKILL"]
    return "\n".join(rows) + "\n"


def large_services(count):
    return quiet([TOP / "bench/make-compose.py", str(count)])


class Namespace:
    """A network namespace with loopback, and one behind it at 198.51.100.2 (it is 198.51.100.1)."""
    def __init__(self, pid=None):
        self.held = []
        self.pid = pid or self.hold()
        self.outside = self.hold()
        for who in self.pid, self.outside:
            quiet(["nsenter", f"--net=/proc/{who}/ns/net", "ip", "link", "set", "lo", "up"])
        for line in ("link add uplink type veth peer name uplink netns %d" % self.outside,
                     "addr add 198.51.100.1/24 dev uplink", "link set uplink up"):
            quiet(["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", *line.split()])
        for line in "addr add 198.51.100.2/24 dev uplink", "link set uplink up":
            quiet(["nsenter", f"--net=/proc/{self.outside}/ns/net", "ip", *line.split()])
        with contextlib.suppress(RuntimeError):
            quiet(self.enter(["ip", "route", "add", "default", "via", "198.51.100.2"]))

    def hold(self):
        process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            time.sleep(0.001)
        self.held.append(process)
        return process.pid

    def enter(self, argv, outside=False):
        return ["nsenter", f"--net=/proc/{self.outside if outside else self.pid}/ns/net", *argv]

    def close(self):
        for process in self.held:
            process.kill()
            process.wait()


class Compote:
    name = "compote"

    def __init__(self, work, storage):
        self.work = work
        self.root = work / "root"
        self.network = Namespace()
        quiet(self.network.enter([TOP / "tools/registry.sh", "start", work / "registry", storage, "5000"]))
        (work / "registries.json").write_text(json.dumps({
            "registries": {"docker.io": {"mirrors": ["http://127.0.0.1:5000"]}}}))
        self.env = os.environ | {"COMPOTE_ROOT": str(self.root), "COMPOTE_LIBEXEC": str(BUILD / "libexec"),
                                 "COMPOTE_REGISTRIES": str(work / "registries.json")}

    def compose(self, *argv):
        return self.network.enter([BUILD / "src/cli/compote", *argv])

    def options(self, cwd):
        return {"cwd": cwd, "env": self.env}

    def forget_images(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def staying(self):
        """Pids of what runs for the containers, without the containers' own processes."""
        found = quiet(["sh", "-c", f"grep -lsF '{self.root}/' /proc/[0-9]*/cmdline || true"]).split()
        return [path.split("/")[2] for path in found]

    def close(self):
        with contextlib.suppress(RuntimeError):
            for name in quiet(self.compose("ls", "--all", "--quiet"), env=self.env).split():
                quiet(self.compose("-p", name, "down", "-v", "-t", "0"), env=self.env)
        quiet([TOP / "tools/registry.sh", "stop", self.work / "registry"])
        self.network.close()


class Docker:
    name = "docker compose"

    def __init__(self, work, _storage):
        self.home = work / "peer"
        self.home.mkdir(parents=True)
        self.peers = TOP / "bench/peers.sh"
        quiet([self.peers, "start", self.home])
        self.network = Namespace(int((self.home / "pid").read_text()))
        peer = quiet([self.peers, "make"]).strip()
        self.plugin = f"{peer}/usr/libexec/docker/cli-plugins/docker-compose"
        self.client = f"{peer}/usr/bin/docker"
        self.env = os.environ | {"DOCKER_HOST": f"unix://{self.home}/socket/docker.sock"}

    def compose(self, *argv):
        return [self.plugin, *argv]

    def options(self, cwd):
        return {"cwd": cwd, "env": self.env}

    def forget_images(self):
        quiet([self.client, "system", "prune", "--all", "--force", "--volumes"], env=self.env)

    def staying(self):
        """The engine, its shims and proxies: all but the registry and what runs in a container."""
        pids = quiet([self.peers, "pids", self.home]).split()
        names = {pid: pathlib.Path(f"/proc/{pid}/comm").read_text() for pid in pids if os.path.exists(f"/proc/{pid}")}
        return [pid for pid, name in names.items() if "registry" not in name]

    def close(self):
        self.network.close()
        quiet([self.peers, "stop", self.home])


# --- What is measured: each takes a side, a folder and the options, and gives {row: (value, unit)} --------------------

def median(samples):
    return statistics.median(samples)


def bench_updown(side, folder, options):
    """up -d and down of N one-process services on one network, image already there"""
    rows = {}
    for count in options.services:
        (folder / "compose.yml").write_text(sleepers(count))
        with_options = side.options(folder)
        quiet(side.compose("up", "-d"), **with_options)
        quiet(side.compose("down", "-t", "0"), **with_options)
        ups, downs = [], []
        for _ in range(options.repeat):
            ups.append(timed(side.compose("up", "-d"), **with_options))
            downs.append(timed(side.compose("down", "-t", "0"), **with_options))
        rows[f"up -d, {count} services"] = (median(ups), "s")
        rows[f"down, {count} services"] = (median(downs), "s")
    return rows


def bench_again(side, folder, options):
    """commands on N services that run already"""
    commands = {"up -d, nothing to do": ["up", "-d"], "ps": ["ps"], "logs": ["logs"], "restart": ["restart", "-t", "0"]}
    rows = {}
    for count in options.services:
        (folder / "compose.yml").write_text(sleepers(count))
        with_options = side.options(folder)
        quiet(side.compose("up", "-d"), **with_options)
        for name, words in commands.items():
            samples = [timed(side.compose(*words), **with_options) for _ in range(options.repeat)]
            rows[f"{name}, {count} services"] = (median(samples), "s")
        quiet(side.compose("down", "-t", "0"), **with_options)
    return rows


def bench_run(side, folder, options):
    """run --rm of a command that ends at once"""
    (folder / "compose.yml").write_text(sleepers(1))
    with_options = side.options(folder)
    if isinstance(side, Docker):
        argv = [side.client, "run", "--rm", "busybox", "true"]
    else:
        argv = side.compose("run", "--rm", "s1", "true")
    quiet(argv, **with_options)
    samples = [timed(argv, **with_options) for _ in range(options.repeat * 3)]
    quiet(side.compose("down", "-t", "0"), **with_options)
    return {"run --rm busybox true": (median(samples), "s")}


def bench_memory(side, folder, options):
    """memory of everything that runs beside the processes of N containers"""
    count = max(options.services)
    (folder / "compose.yml").write_text(sleepers(count))
    with_options = side.options(folder)
    quiet(side.compose("up", "-d"), **with_options)
    pids = side.staying()
    row = {f"PSS for {count} containers": (pss_kib(pids) / 1024, "MiB"),
           f"processes for {count} containers": (len(pids), "")}
    samples = [cpu_of(side.compose("ps", "-a"), **with_options) for _ in range(options.repeat)]
    row[f"CPU of ps, {count} containers"] = (median(samples), "s")
    quiet(side.compose("down", "-t", "0"), **with_options)
    return row


def bench_config(side, folder, options):
    """config -q of 1 to 10,000 services, small ones and such as real files have"""
    rows = {}
    for kind, make in ("small", sleepers), ("large", large_services):
        for count in 1, 100, 1000, 10000:
            (folder / "compose.yml").write_text(make(count))
            # Peers take minutes for the largest file.
            times = options.repeat * 2 if count < 10000 else 1
            samples = [timed(side.compose("config", "-q"), **side.options(folder)) for _ in range(times)]
            rows[f"config -q, {count} {kind} services"] = (median(samples), "s")
    samples = [cpu_of(side.compose("version"), **side.options(folder)) for _ in range(options.repeat * 2)]
    rows["CPU of version"] = (median(samples), "s")
    return rows


def bench_pull(side, folder, options):
    """pull and unpack of wordpress and mariadb from a registry on this machine, nothing there before"""
    (folder / "compose.yml").write_text("services:\n  a: {image: wordpress}\n  b: {image: 'mariadb:10'}\n")
    samples = []
    for _ in range(options.repeat):
        side.forget_images()
        samples.append(timed(side.compose("pull", "-q"), **side.options(folder)))
    return {"pull of WordPress and MariaDB": (median(samples), "s")}


def bench_port(side, folder, options):
    """one download of 2 GB through a published port, from another machine (a namespace) and over loopback"""
    (folder / "compose.yml").write_text(
        'services:\n  web:\n    image: nginx\n    ports: ["8080:80"]\n    stop_signal: SIGKILL\n'
        '    command: ["sh", "-c", "truncate -s 2G /usr/share/nginx/html/big && exec nginx -g \'daemon off;\'"]\n')
    with_options = side.options(folder)
    quiet(side.compose("up", "-d"), **with_options)
    rows = {}
    for label, address, outside in (("from outside", "198.51.100.1", True), ("loopback", "127.0.0.1", False)):
        url = f"http://{address}:8080/big"
        fetch = ["curl", "-sS", "--noproxy", "*", "--fail", "-o", "/dev/null", "-w", "%{speed_download}"]
        quiet(side.network.enter([*fetch, "--retry", "20", "--retry-delay", "1", "--retry-all-errors", "-r", "0-9", url],
                                 outside))
        speeds = [float(quiet(side.network.enter([*fetch, url], outside))) for _ in range(options.repeat)]
        rows[f"published port, {label}"] = (median(speeds) * 8 / 1e9, "Gbit/s")
    quiet(side.compose("down", "-t", "0"), **with_options)
    return rows


BENCHES = {"updown": bench_updown, "again": bench_again, "run": bench_run, "memory": bench_memory, "config": bench_config,
           "pull": bench_pull, "port": bench_port}


def bare_crun(work, options):
    """The floor of run --rm: the OCI runtime alone on a tree that is there."""
    bundle = work / "bundle"
    (bundle / "rootfs/bin").mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), bundle / "rootfs/bin/busybox")
    quiet(["crun", "spec"], cwd=bundle)
    spec = json.loads((bundle / "config.json").read_text())
    spec["process"].update(terminal=False, args=["/bin/busybox", "true"])
    # crun takes no hybrid of both cgroup versions: this run sees none of the second.
    spec["mounts"] = [m for m in spec["mounts"] if m["type"] != "cgroup"]
    (bundle / "config.json").write_text(json.dumps(spec))
    script = 'umount -R /sys/fs/cgroup/unified 2>/dev/null; for i in $(seq %d); do crun --cgroup-manager=disabled run bench$$ || exit 1; done'
    count = options.repeat * 5
    spent = timed(["unshare", "--mount", "--propagation", "private", "sh", "-c", script % count], cwd=bundle)
    return {"run --rm busybox true": (spent / count, "s")}


def show(value):
    number, unit = value
    return f"{number * 1000:.1f} ms" if unit == "s" and number < 1 else f"{number:.2f} {unit}" if unit else str(number)


def report(results, floor):
    names = list(results)
    print(f"{'':34}" + "".join(f"{name:>18}" for name in names) + f"{'ratio':>10}")
    for row in results[names[0]]:
        values = [results[name].get(row) for name in names]
        line = f"{row:34}" + "".join(f"{show(v) if v else '-':>18}" for v in values)
        if len(values) > 1 and values[1] and values[0][0]:
            # How many times better, whichever direction is better.
            ratio = values[0][0] / values[1][0] if values[0][1] == "Gbit/s" else values[1][0] / values[0][0]
            line += f"{ratio:9.1f}x"
        print(line)
        if row in floor:
            print(f"{'    crun alone':34}{show(floor[row]):>18}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__ % ", ".join(BENCHES))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--services", type=lambda text: [int(n) for n in text.split(",")], default=[1, 10, 50])
    parser.add_argument("--only", choices=["compote", "docker"])
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES])
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: needs root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    storage = quiet([TOP / "tests/images/build.sh"]).strip()
    sides = [Compote, Docker]
    peer = pathlib.Path(os.environ.get("COMPOTE_PEER", pathlib.Path(storage).parent / "peer/forky"))
    if not (peer / "usr").is_dir():
        print("bench: no peer here (bench/peers.sh make): compote alone")
        sides = [Compote]
    if options.only:
        sides = [Compote] if options.only == "compote" else [Docker]
    results, floor = {}, {}
    for make in sides:
        PEER_HOME.mkdir(parents=True, exist_ok=True)
        work = pathlib.Path(tempfile.mkdtemp(prefix="work.", dir=PEER_HOME))
        side = make(work, storage)
        try:
            results[side.name] = {}
            for name in options.names or BENCHES:
                print(f"bench: {side.name}: {BENCHES[name].__doc__}", file=sys.stderr, flush=True)
                folder = work / name
                folder.mkdir()
                results[side.name] |= BENCHES[name](side, folder, options)
                if name == "run" and side.name == "compote":
                    floor = bare_crun(work, options)
        finally:
            side.close()
            shutil.rmtree(work, ignore_errors=True)
    report(results, floor)


if __name__ == "__main__":
    main()
