#!/usr/bin/env python3
"""Compares the drawing of docs/architecture.md with DEPS in each CMakeLists.txt and with the #include lines.

Also: every *_test.cc, *_fuzz.cc and *_bench.cc is in a target, pure modules stay pure, Beast and gRPC stay in src/net, links in
the documents lead somewhere. Prints each offence; exit code 1 if there is one. `--self-test` shows that offences are found.
"""
import collections
import os
import re
import sys

# Lower number = lower layer. A module may use modules of a lower layer, and the same-layer ones named in SIDEWAYS.
LAYERS = {
    "base": 0,
    "crypto": 1, "model": 1, "net": 1,
    "codec": 2, "propagation": 2, "sampling": 2, "genai": 2, "redact": 2,
    "rollup": 3, "cardinality": 3,
    "query": 4,
    "store": 5,
    "analysis": 6, "control": 6, "auth": 6,
    "ingest": 7, "cost": 7,
    "api": 8, "relay": 8,
    "cli": 9,
    "app": 10,
}
SIDEWAYS = {("codec", "codec"), ("api", "api"), ("auth", "control")}
NET_USERS = {"ingest", "api", "relay", "cli", "app"}
PURE = {"model", "codec", "propagation", "sampling", "genai", "redact", "query", "rollup", "cardinality", "analysis"}
IMPURE_HEADERS = re.compile(
    r"#include <(thread|mutex|shared_mutex|condition_variable|fstream|filesystem|random|iostream|"
    r"sys/socket\.h|unistd\.h|fcntl\.h|boost/asio.*|boost/beast.*|grpcpp?/.*|sqlite3\.h)>")
CLOCKS = re.compile(r"\b(system_clock|steady_clock|high_resolution_clock)::now")
NET_ONLY = re.compile(r"#include <(boost/(asio|beast).*|grpcpp?/.*)>")


def module_of(path):
    """src/codec/xray/a.cc -> codec_xray (nested modules are those folders that have a CMakeLists.txt with fluoro_module)."""
    parts = path.split("/")
    return parts[0]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def source_files(root):
    for folder, _, names in os.walk(os.path.join(root, "src")):
        for name in sorted(names):
            if name.endswith((".h", ".cc")):
                yield os.path.relpath(os.path.join(folder, name), os.path.join(root, "src"))


def cmake_lists(root):
    for top in ("src", "tests", "sdk"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            if "CMakeLists.txt" in names:
                yield os.path.join(folder, "CMakeLists.txt")


def declared_deps(root):
    """Folder under src -> set of module names (codec_xray) that its fluoro_module call names, with its own name."""
    modules = {}
    for path in cmake_lists(root):
        for call in re.findall(r"fluoro_module\((.*?)\)", read(path), re.S):
            words = call.split()
            if not words:
                continue
            deps = [w.removeprefix("fluoro::") for w in words if w.startswith("fluoro::")]
            folder = os.path.relpath(os.path.dirname(path), os.path.join(root, "src"))
            modules[words[0]] = (folder, set(deps))
    return modules


def closure(modules, name, seen=None):
    seen = set() if seen is None else seen
    for dep in modules.get(name, ("", set()))[1]:
        if dep not in seen:
            seen.add(dep)
            closure(modules, dep, seen)
    return seen


def allowed(user, used):
    if user == used:
        return True
    if used == "net":
        return user in NET_USERS
    if user not in LAYERS or used not in LAYERS:
        return False
    return LAYERS[used] < LAYERS[user] or (user, used) in SIDEWAYS


def check(root):
    offences = []
    modules = declared_deps(root)
    by_folder = sorted(((folder, name) for name, (folder, _) in modules.items()), key=lambda x: -len(x[0]))

    def owner(path):
        for folder, name in by_folder:
            if path.startswith(folder + "/"):
                return name
        return None

    for name, (folder, deps) in modules.items():
        for dep in deps:
            if dep in modules and not allowed(module_of(folder), module_of(modules[dep][0])):
                offences.append(f"{folder}/CMakeLists.txt: DEPS fluoro::{dep} points up or sideways")

    test_sources = collections.defaultdict(bool)
    all_cmake = "\n".join(read(path) for path in cmake_lists(root))
    for path in source_files(root):
        text = read(os.path.join(root, "src", path))
        top = module_of(path)
        base = os.path.basename(path)
        is_test = re.search(r"(_(test|fuzz|bench)\.cc|_(for_test|testing)\.(h|cc))$|^(test|testing)[._]|contract", base)
        if re.search(r"_(test|fuzz|bench)\.cc$", path):
            test_sources[path] = True
            if not re.search(r"\b" + re.escape(base) + r"\b", all_cmake):
                offences.append(f"src/{path}: no CMake target names it, so it never runs")
        elif path.endswith(".cc") and not re.search(r"\b" + re.escape(base) + r"\b", all_cmake):
            offences.append(f"src/{path}: no CMake target names it")
        if top in PURE and not is_test:
            for match in IMPURE_HEADERS.finditer(text):
                offences.append(f"src/{path}: a pure module includes <{match.group(1)}>")
            if CLOCKS.search(text):
                offences.append(f"src/{path}: a pure module reads a clock")
        if top != "net" and not is_test:
            for match in NET_ONLY.finditer(text):
                offences.append(f"src/{path}: <{match.group(1)}> belongs into src/net")
        mine = owner(path)
        reach = closure(modules, mine) if mine else set()
        for line, included in enumerate(text.split("\n"), 1):
            match = re.match(r'\s*#include "([^"]+)"', included)
            if not match:
                continue
            target = match.group(1)
            if not os.path.exists(os.path.join(root, "src", target)):
                offences.append(f"src/{path}:{line}: \"{target}\" is not a path from src/")
                continue
            if is_test:
                continue
            if not allowed(top, module_of(target)):
                offences.append(f"src/{path}:{line}: {top} must not include {target}")
            theirs = owner(target)
            if mine and theirs and theirs != mine and theirs not in reach:
                offences.append(f"src/{path}:{line}: {target} is in fluoro::{theirs}, which DEPS of {mine} does not reach")

    for folder, dirs, names in os.walk(root):
        dirs[:] = [d for d in dirs if d not in ("build", "node_modules", ".git")]
        for name in names:
            if not name.endswith(".md"):
                continue
            path = os.path.join(folder, name)
            text = re.sub(r"```.*?```", "", read(path), flags=re.S)
            for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
                if re.match(r"[a-z]+:", link):
                    continue
                if not os.path.exists(os.path.join(folder, link)):
                    offences.append(f"{os.path.relpath(path, root)}: link to {link} leads nowhere")
    return offences, len(test_sources)


def self_test(root):
    import shutil
    import tempfile
    with tempfile.TemporaryDirectory() as copy:
        for top in ("src", "tests", "docs"):
            shutil.copytree(os.path.join(root, top), os.path.join(copy, top),
                            ignore=shutil.ignore_patterns("node_modules", "testdata", "__pycache__"))
        before = set(check(copy)[0])
        with open(os.path.join(copy, "src/model/ids.cc"), "a", encoding="utf-8") as f:
            f.write('#include "store/trace_store.h"\n#include <thread>\n#include <boost/asio.hpp>\n')
        with open(os.path.join(copy, "src/model/lost_test.cc"), "w", encoding="utf-8") as f:
            f.write("int x;\n")
        with open(os.path.join(copy, "docs/lost.md"), "w", encoding="utf-8") as f:
            f.write("[gone](nowhere.md)\n")
        found = set(check(copy)[0]) - before
        wanted = ["must not include store/trace_store.h", "pure module includes <thread>", "belongs into src/net",
                  "lost_test.cc: no CMake target", "nowhere.md leads nowhere"]
        return [w for w in wanted if not any(w in f for f in found)]


def main():
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    if "--self-test" in sys.argv:
        missed = self_test(root)
        for text in missed:
            print(f"not detected: {text}")
        return 1 if missed else 0
    offences, tests_count = check(root)
    for text in offences:
        print(text)
    print(f"{tests_count} test, fuzz and benchmark sources, {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
