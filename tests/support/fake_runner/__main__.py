"""Carry out the steps of a job, each a list of a name and its arguments."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

FLOOD_LINE = 99


def flood(size):
    """``size`` bytes to each stream, in long bursts that alternate: a reader of one stream at a time would block us."""
    for number in range(0, size, 500_000):
        count = min(500_000, size - number) // (FLOOD_LINE + 1)
        for stream in (2, 1):
            write(stream, (b"%d" % stream * FLOOD_LINE + b"\n") * count)


def write(stream, data):
    """All of ``data``: a pipe takes less at a time."""
    while data:
        data = data[os.write(stream, data) :]


def say(document, stream, text):
    """``text`` (latin-1 stands for bytes), nothing added."""
    write(stream, text.encode("latin-1"))


def tree(document):
    """A grandchild in a session of its own, whose pid is printed, that would outlive us by far."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    print(child.pid, flush=True)


def facts(document):
    """What the runner can see, as one JSON line."""
    model = pathlib.Path(os.environ.get("AOT_SIMULATOR_ROOT", "") + document["model_path"])
    print(
        json.dumps(
            {
                "environment": dict(os.environ),
                "cwd": str(pathlib.Path.cwd()),
                "document": document,
                "model": {path.name: path.read_text() for path in model.iterdir()},
                "interfaces": [
                    line.split(":")[0].strip() for line in pathlib.Path("/proc/net/dev").read_text().splitlines()[2:]
                ],
                "uid": os.getuid(),
                "modules": sorted(name for name in ("msgspec", "docker") if importable(name)),
            }
        ),
        flush=True,
    )


def importable(name):
    """Whether a package of aot's own environment is visible."""
    import importlib.util

    return importlib.util.find_spec(name) is not None


def touch(document, directory):
    """Try to write into one of the job's directories; prints the errno or 0."""
    try:
        pathlib.Path(document.get(directory, directory), "written").write_text("x")
    except OSError as error:
        print(error.errno, flush=True)
    else:
        print(0, flush=True)


def output(document, name, content):
    """A file below the output directory."""
    path = pathlib.Path(document["output_dir"], name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def append(document, name, content):
    """Add to a file in the compile cache, then print it."""
    with pathlib.Path(document["cache_dir"], name).open("a+") as file:
        file.write(content)
        file.seek(0)
        print(file.read(), flush=True)


def link(document):
    """A symbolic link in the output, which nothing honest leaves there."""
    pathlib.Path(document["output_dir"], "result.json").symlink_to("/etc/passwd")


def hog(document, in_child):
    """More memory than any test allows, in this process or in a child whose death we survive."""
    if in_child:
        code = "block = [bytearray(1 << 20) for _ in range(1 << 14)]"
        sys.exit(1 if subprocess.call([sys.executable, "-c", code]) else 0)
    print(len([bytearray(1 << 20) for _ in range(1 << 14)]))


STEPS = {
    "flood": lambda document, size: flood(size),
    "say": say,
    "sleep": lambda document, seconds: time.sleep(seconds),
    "exit": lambda document, status: sys.exit(status),
    "kill": lambda document, number: os.kill(os.getpid(), number),
    "deaf": lambda document: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "tree": tree,
    "facts": facts,
    "touch": touch,
    "output": output,
    "append": append,
    "link": link,
    "hog": hog,
}


def main():
    """Run every step in order."""
    with pathlib.Path(sys.argv[1]).open(encoding="utf-8") as file:
        document = json.load(file)
    for name, *arguments in document["steps"]:
        STEPS[name](document, *arguments)


if __name__ == "__main__":
    main()
