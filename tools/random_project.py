"""Random Compose projects, made from the rows of src/model (tests/golden/rows.c prints them as JSON).

A project is a few files, options and variables. Trees hold scalars as they are written, so that every form of YAML can
be made: a str is a scalar, dicts and lists are what they are, Tagged puts a tag or an anchor in front. A project has a
mood: right (large, nearly always accepted), odd (scalars of every kind anywhere), wrong (types, keys and nulls out of
place); the latter two are small, so that one reason to refuse does not hide others.
"""
import copy
import json
import random
import re

SERVICES = ["web", "db2", "db10", "cache", "job"]
NAMES = {"networks": ["front", "back", "default"], "volumes": ["data", "logs"], "configs": ["conf"],
         "secrets": ["token"], "models": ["llm"]}
ODD = """0o17 0x1f 0b11 1_000 007 08 +1 -1 0 -0 1e3 1e-7 .5 1. 12.50 .inf -.inf .nan 9223372036854775807
    99999999999999999999 1e400 true True "true" yes no on off Y n ~ null Null "" '' "null" 2001-01-01 12:30:45 190:20
    "5" '0' !!str·5 !!int·"5" !!float·1 !!bool·"true" "a·b" "a\\tb\\n" 'it''s' "é€" = "${UNSET}" "${SET}" $SET ${SET:-x}
    "${UNSET:-}" "${UNSET-d}" "${SET:+y}" "${UNSET+y}" "${SET?m}" "$$x" "${UNSET:-${SET}}" "${EMPTY:-e}" "${EMPTY-e}"
    "a#b" "a·#b" a:b "a:·b" "[x]" "*x" "%x" "@x" "-·x" "?" "!" 64m 1.5g "10·kb" 5s 1m30s 100ms""".split()
# What docs/differences.md names: numbers that are infinite or too large, and sizes with a point or an exponent.
HUGE = [".inf", "-.inf", ".nan", "1e400", "99999999999999999999"]
UNLIKE = {"a number": HUGE, "an integer": HUGE,
          "a size": [*HUGE, "9223372036854775807", "1e3", "1e-7", ".5", "1.", "12.50", "!!float·1"]}
WRONG = ["{}", "[]", "", "~", "[x]", "{a: b}", "[[x]]", "[{a: b}]", "{a: {b: c}}", "[1, 2]", "[~]", "5", "x", "true",
         '""', "[x, x]", "{a: ~}", "1.5", "-1", "'-1'", "'1.5'", "' 5'", "'5 '", "'x=y'"]
BY_TYPE = {
    "a string": ["x", '"y z"', "'q'", "a-b.c", "/p/q", "./r", '"${SET}"', "${UNSET:-d}", "a_b"],
    "a string or a number": ["x", "5", '"6"', "8080", '"90-91"'],
    "a boolean": ["true", "false", '"true"', '"false"', "yes", '"${TRUE}"'],
    "an integer": ["1", "0", "20", '"3"', "007", "0x1f", "1_000", '"${NUMBER}"'],
    "a number": ["0.5", '"1.5"', "2", ".25", "1e-3", "0.3", '"${NUMBER}"'],
    "a size": ["64m", '"1g"', "1.5gb", "10kb", '"2048"', "100b", "1024", '"10 mb"', '"1GiB"'],
    'a duration like "1m30s"': ["5s", "1m30s", "100ms", "1h", '"1.5s"', "0s", "2h45m", "1us"],
    "a file mode": ["0440", '"0400"', "256", '"644"', "0o440"],
    'an integer or "all"': ["1", "all", '"2"'],
    "anything": ["x", "5", "[a, 1]", "{b: ~}"],
}
BY_KEY = {
    "image": ["app", "repo/app:1.2", "${IMAGE:-busybox}", '"host:5000/a/b:latest"'],
    "pull_policy": ["always", "never", "missing", "if_not_present", "build", "daily", "weekly", "every_12h"],
    "restart": ["always", '"no"', "on-failure", "on-failure:3", "unless-stopped", "'${RESTART:-always}'"],
    "network_mode": ["host", "none", "bridge"], "ipc": ["host", "shareable", "private"], "pid": ["host"],
    "uts": ["host"], "userns_mode": ["host"], "platform": ["linux/amd64", "linux/arm64/v8"],
    "command": ["run --fast", '"sh -c \'a b\'"', '["x", "y z"]', "[a, b]", '""', "[]"],
    "test": ['["CMD", "x"]', "curl -f x", "[NONE]", "[CMD-SHELL, y]"],
    "subnet": ["10.1.0.0/16", "fd00::/64"], "gateway": ["10.1.0.1"], "ip_range": ["10.1.2.0/24"],
    "mac_address": ["02:42:ac:11:00:02"], "ipv4_address": ["10.1.0.5"], "container_name": ["name-1", "other_2"],
    "name": ["called", "'${SET}-n'", "a.b"], "external": ["true", "false"], "condition":
    ["service_started", "service_healthy", "service_completed_successfully"], "order": ["start-first", "stop-first"],
    "mode": ["replicated", "global"], "path": ["./src", "/abs", "~/h", "a/../b"], "file": ["./f.txt", "/etc/f"],
    "env_file": ["e.env", "./e.env"], "label_file": ["l.env"], "scale": ["1", "2", '"1"', "0"],
    "context": [".", "./ctx", "https://git.test/a.git#main", "../up"], "action": ["rebuild", "sync", "restart"],
    "retries": ["3", "0", '"5"'], "service": ["base"], "oom_score_adj": ["10", "-500", '"1000"'], "cpu_percent": ["5"],
    "content": ["text", '"a ${SET}"', '"$$x"'], "target": ["/target", "/t/", "/a/./b"], "source": ["src", "./s"],
    "replicas": ["1", "2", "0"], "pids": ["100"], "cpu_count": ["2"], "capabilities": ["[gpu]", "[gpu, utility]"],
    "extra_hosts": ['["h:10.0.0.1", "i=::1"]', '{h: 10.0.0.1, i: "::1"}', '["j=[::1]"]', "{k: [10.0.0.1, 10.0.0.2]}"],
    "ssh": ["[default]", '["a=/k"]', "{default: }"], "type": ["bind", "volume", "tmpfs", "image", "npipe"],
    "additional_contexts": ["{a: ./b, c: 'docker-image://x'}", '["a=./b"]'], "expose": ['[80, "81"]', '["82-83/udp"]'],
    "provider.options": ["{a: b, c: [d, 1]}"], "links": [], "published": ["8080", '"81"', '"90-92"'],
    "ports.target": ["80", "443", '"81"'], "volumes_from": [], "ports.mode": ["host", "ingress"], "gpus": ["all"],
    "protocol": ["tcp", "udp"], "external_links": ["[other]", "['o:p']"], "uid": ['"1"'], "gid": ['"2"'],
    "profiles": ["[p]", "[q]", "[p, q]", "[]"], "driver": ["local", "json-file", "bridge", "syslog"],
    "secrets.mode": ["0440", '"0400"', "0o17"], "tmpfs.mode": ["511", '"1777"', "01777"], "secrets.target": ["t", "/u"],
    "configs.mode": ["0440", "256"], "version": ['"3"'],
}
SHORT = {
    "[IP:][HOST:]CONTAINER[/PROTOCOL]": ['"80"', "81", '"8080:80"', '"127.0.0.1:82:82"', '"90-92:90-92"', '"53:53/udp"',
                                         '"[::1]:83:83"', '"1000-1005:85"', '"${NUMBER}:80"', "5000-5003"],
    "[SOURCE:]TARGET[:OPTIONS]": ["./a:/a", "data:/d", "/h:/b:ro", '"logs:/l:rw,z"', "/anon", "~/q:/q:Z", ".:/w/",
                                  "/s:/s:rshared,ro", "data:/e:nocopy", "../x:/x:cached"],
    "SOURCE[:TARGET[:PERMISSIONS]]": ["/dev/a:/dev/b", "/dev/c", "/dev/d:/dev/e:r"],
    "a number for both": ["5", '"6"', "-1", "1_000"], "all": ["all"], "PATH": ["e.env"], "CONTEXT": [".", "./ctx"],
}


class Tagged:
    def __init__(self, tag, value):
        self.tag, self.value = tag, value


def written(node, depth, flow):
    """A tree as YAML, to stand behind "key:" or "-"; below the depth `flow` in flow style."""
    if isinstance(node, Tagged):
        return f" {node.tag}{written(node.value, depth, flow)}"
    if isinstance(node, str):
        return " " + node if node else ""
    if not node:
        return " {}" if isinstance(node, dict) else " []"
    if depth >= flow:
        below = lambda value: written(value, depth, flow).strip()
        if isinstance(node, dict):
            return " {" + ", ".join(f"{key}: {below(value)}" for key, value in node.items()) + "}"
        return " [" + ", ".join(below(value) or "~" for value in node) + "]"
    pad = "\n" + "  " * depth
    if isinstance(node, dict):
        return "".join(f"{pad}{key}:{written(value, depth + 1, flow)}" for key, value in node.items())
    return "".join(f"{pad}-{written(value, depth + 1, flow)}" for value in node)


class Project:
    def __init__(self, flow):
        self.flow = flow
        self.files = {}  # name -> tree, or text
        self.args = []   # tuples of words
        self.environment = []

    def texts(self):
        files = {name: tree if isinstance(tree, str) else written(tree, 0, self.flow).lstrip("\n") + "\n"
                 for name, tree in self.files.items()}
        files["args"] = "".join(f"{word}\n" for pair in self.args for word in pair)
        files["env"] = "".join(f"{line}\n" for line in self.environment)
        return files

    def text(self):
        return "".join(f"--- {name}\n{text}" for name, text in self.texts().items() if text)

    def write(self, folder):
        for name, text in self.texts().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    def places(self):
        """The ways to all that can be left out, the large before the small, the last of a list before the first."""
        found = [[key] for key in ("files", "args", "environment")]
        for way in found:
            holder = self.at(way)
            keys = reversed(range(len(holder))) if isinstance(holder, list) else list(holder) \
                if isinstance(holder, dict) else ["value"] if isinstance(holder, Tagged) else []
            found += [way + [key] for key in keys]
        return [way for way in found if len(way) > 1]

    def at(self, way):
        node = vars(self)
        for key in way:
            node = node.value if isinstance(node, Tagged) else node[key]
        return node

    def without(self, way):
        """A copy without one part; a tag is taken from its value."""
        smaller = copy.deepcopy(self)
        holder = smaller.at(way[:-1])
        if isinstance(holder, Tagged):
            above = smaller.at(way[:-2])
            if isinstance(above, Tagged):
                above.value = holder.value
            else:
                above[way[-2]] = holder.value
        else:
            del holder[way[-1]]
        return smaller

    def reduced(self, test):
        """The project without all that the test does not need."""
        project, before = self, None
        while project is not before:
            before = project
            for way in project.places():
                try:
                    smaller = project.without(way)
                except (KeyError, IndexError, TypeError, AttributeError):
                    continue  # left out with something larger
                if test(smaller):
                    project = smaller
        return project


class Maker:
    def __init__(self, rows, seed):
        self.random = random.Random(seed)
        self.rows = {row["key"]: row for row in rows}
        self.mood = self.random.choices(["right", "odd", "wrong"], [5, 4, 2])[0]
        self.deeper = {"right": 0.5, "odd": 0.3, "wrong": 0.3}[self.mood]
        self.strange = {"right": 0, "odd": 0.06, "wrong": 0.05}[self.mood]

    def chance(self, p):
        return self.random.random() < p

    def some(self, items, least, most):
        return self.random.sample(items, min(len(items), self.random.randint(least, most)))

    def scalar(self, row, way):
        texts = self.samples(row, way)
        return self.random.choice(texts)

    def samples(self, row, way):
        for key in ".".join(way[-2:]), row["key"]:
            if key in BY_KEY and BY_KEY[key]:
                return BY_KEY[key]
        return row.get("choices") or BY_TYPE.get(row["type"]) or BY_TYPE["a string"]

    def scalars(self, row, way):
        """One of the forms of a list or mapping of scalars."""
        kind = row["type"]
        keys = self.some(["A", "b.c", "KEY_2", "x10", "x9"], 0, 3)
        values = {key: self.random.choice(["v", '"w x"', "5", '"1.50"', "true", "~", '""', "1e3", "0o17", "2.0"]
                                          if kind.startswith("a mapping or") else ["v", '"5"', "5", "1.5", "~"])
                  for key in keys}
        if kind == "a mapping" or (kind.startswith("a mapping") and self.chance(0.6)):
            return values
        if kind.startswith("a mapping"):
            return [self.random.choice([f"{key}=v", f'"{key}=w x"', key, f'"{key}="', f"'{key}=a=b'"]) for key in keys]
        items = self.some(BY_TYPE["a string"][:5] + ["v2", "v10"], 0, 3)
        return self.random.choice(items) if kind.startswith("a string or a list") and items and self.chance(0.4) \
            else items

    def value(self, row, way):
        if self.chance(self.strange):
            odd = [text for text in ODD if text not in UNLIKE.get(row["type"], ())]
            return self.random.choice(WRONG if self.mood == "wrong" else odd).replace("·", " ")
        if row["holds"] != "value":
            return self.objects(row, way)
        if row["key"] in ("links", "volumes_from") and way[0] == "services":
            return self.some(self.before, 0, 2)
        if self.samples(row, way) is BY_TYPE["a string"] and re.search("list|mapping", row["type"]):
            return self.scalars(row, way)
        return self.scalar(row, way)

    def short(self, row):
        if row["short"] == "NAME":
            return self.random.choice(NAMES[row["key"]])
        return self.random.choice(SHORT[row["short"]])

    def objects(self, row, way):
        holds, short = row["holds"], "short" in row
        if holds == "object":
            return self.short(row) if short and row["short"] in SHORT and self.chance(0.3) else self.object(row, way)
        if holds == "list":
            if "alone" in row["flags"] and self.chance(0.3):
                return self.short(row)
            if row["key"] in BY_KEY and self.chance(0.3):
                return self.scalar(row, way)
            return [self.short(row) if short and self.chance(0.6) else self.object(row, way)
                    for _ in range(self.random.randint(0, 3))]
        names = self.before if row["key"] == "depends_on" else NAMES.get(row["key"], ["nofile", "nproc", "core"])
        names = self.some(names, 0, 2)
        if "list-form" in row["flags"] and self.chance(0.4):
            return names
        return {name: self.short(row) if short and self.chance(0.5) else "" if "null-values" in row["flags"] and
                self.chance(0.3) else self.object(row, way) for name in names}

    def object(self, row, way, keys=None):
        rows = [r for r in row["rows"] if r["key"] not in ("extends", "include", "services")]
        chosen = [r for r in rows if "required" in r["flags"] or self.must(r, way) or
                  (r in keys if keys else self.chance(self.deeper))]
        self.random.shuffle(chosen)
        tree = {r["key"]: self.value(r, way + [r["key"]]) for r in chosen}
        if self.mood == "right":
            self.repair(tree, way)
        if self.mood == "wrong" and self.chance(0.03):
            key = self.random.choice(rows)["key"]
            tree[self.random.choice([key[:-1], key.upper(), key + "x", "x-" + key, '"5"', "1"])] = "v"
        if row.get("extensions") and self.chance(0.08):
            tree["x-more"] = self.random.choice(["5", "{b: 1, a: ~}", "[1, x]", '"$SET"', "", "1.50", "0x10"])
        return tree

    def must(self, row, way):
        """What an object needs although its row does not say so."""
        last, key = way[-1], row["key"]
        return (last, key) in {("volumes", "target"), ("volumes", "source"), ("devices", "target"), ("configs", "source"),
                               ("secrets", "source"), ("watch", "target"), ("post_start", "command"), ("exec", "command"),
                               ("pre_stop", "command"), ("depends_on", "condition")} or \
            (last == "devices" and key == "capabilities")

    def repair(self, tree, way):
        """Takes away what is known to exclude each other."""
        for one, other in (("network_mode", "networks"), ("dockerfile", "dockerfile_inline"), ("count", "device_ids"),
                           ("scale", "deploy"), ("cpus", "deploy"), ("mem_limit", "deploy"), ("pids_limit", "deploy"),
                           ("mem_reservation", "deploy"), ("container_name", "deploy"), ("container_name", "scale")):
            if one in tree and other in tree:
                del tree[one]
        if way[-1] in NAMES and way[0] == "services":
            if "source" in tree and way[-1] in ("configs", "secrets"):
                tree["source"] = NAMES[way[-1]][0]
            elif tree.get("type") == "volume":
                tree["source"] = "data"
        if way[0] in NAMES and len(way) == 1:
            if tree.get("external") == "true":
                for key in [key for key in tree if key not in ("external", "name")]:
                    del tree[key]
            elif way[0] in ("configs", "secrets"):
                for key in [key for key in ("file", "environment", "content") if key in tree]:
                    del tree[key]
                tree["environment"] = "SET"

    def service(self, least, most, extends=()):
        row = self.rows["services"]
        rows = [r for r in row["rows"] if r["key"] != "use_api_socket"]
        tree = self.object(row, ["services"], self.some(rows, least, most))
        if not {"image", "build", "provider"} & set(tree) and (least or self.mood == "right"):
            tree["image"] = "app"
        if extends and self.chance(0.25):
            tree["extends"] = self.random.choice(extends)
        return tree

    def file(self, first):
        sizes = {"right": (2, 14), "odd": (1, 6), "wrong": (1, 6)}[self.mood]
        extends = [] if not first else ["base", "{service: base}", "{service: far, file: sub/far.yaml}"]
        services, self.before = {}, []
        if first:
            services["base"] = self.service(1, 4)
        for name in self.some(SERVICES, 1, 3 if self.mood == "right" else 2):
            services[name] = self.service(sizes[0] if first else 0, sizes[1], extends)
            if first or name in self.known:
                self.before.append(name)
        self.known = self.before if first else self.known
        tree = {"services": services}
        for section, names in NAMES.items():
            chosen = names if first else self.some(names, 0, 1) if self.chance(0.2) else []
            made = {name: "" if section in ("networks", "volumes") and self.chance(0.4) else
                    self.object(self.rows[section], [section]) for name in chosen}
            if made:
                tree[section] = made
        if self.chance(0.2):
            tree["name"] = self.scalar(self.rows["name"], ["name"])
        return tree

    def tag(self, tree):
        """Puts !reset or !override before some values of a later file."""
        for service in tree["services"].values():
            for key in list(service):
                if self.chance(0.08):
                    service[key] = Tagged(self.random.choice(["!reset", "!override"]), service[key])

    def anchor(self, tree):
        """A fragment that services take in with a merge key."""
        fragment = self.service(0, 3)
        tree["services"], rest = {}, tree["services"]
        tree = {"x-fragment": Tagged("&fragment", fragment), **tree, "services": rest}
        for service in rest.values():
            if self.chance(0.6):
                service["<<"] = "*fragment"
        return tree

    def project(self):
        project = Project(self.random.choice([2, 3, 3, 4, 9]))
        tree = self.file(True)
        if self.chance(0.2):
            tree = self.anchor(tree)
        if self.chance(0.1):
            tree["include"] = self.random.choice(["[sub/inc.yaml]", "[{path: sub/inc.yaml, env_file: e.env}]",
                                                  "[{path: [sub/inc.yaml], project_directory: sub}]"])
            project.files["sub/inc.yaml"] = {"services": {"included": self.service(1, 5)}}
        project.files = {"compose.yaml": tree, **project.files}
        later = self.random.choice([0, 0, 0, 1, 1, 2])
        for number in range(later):
            name = "compose.override.yaml" if later == 1 and self.chance(0.5) else f"c{number}.yaml"
            project.files[name] = self.file(False)
            self.tag(project.files[name])
            if name != "compose.override.yaml":
                project.args.append(("-f", name))
        if project.args:
            project.args.insert(0, ("-f", "compose.yaml"))
        self.before = []
        project.files["sub/far.yaml"] = {"services": {"far": self.service(1, 5)}}
        project.files.update({"e.env": "A=file\nNEW='$SET'\nE=${SET}-e\n", "sub/e.env": "SUB=1\n", "l.env": "lab=el\n",
                              "sub/l.env": "lab=sub\n", ".env": "DOT=1\nRESTART=always\nNUMBER=7\n"})
        for profile in self.some(["p", "q", '*'], 0, 1):
            project.args.append(("--profile", profile))
        if self.chance(0.05):
            project.args.append((self.random.choice(["--no-normalize", "--no-path-resolution", "--no-consistency"]),))
        project.environment = ["SET=set", "EMPTY=", "TRUE=true", "A=outer"]
        return project


def make(rows, seed):
    return Maker(json.loads(rows), seed).project()
