"""A process that lives under a name in a run directory until it is killed or its standard input ends."""

import subprocess
import sys

from roost.shared.run_directory import RunDirectory


def main(path: str, kind: str, name: str) -> None:
    run_dir = RunDirectory.open(path)
    sys.stdout.write("waiting\n")
    sys.stdout.flush()
    lock = run_dir.take(name) if kind == "take" else run_dir.live(name)
    if kind == "parent":
        child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        sys.stdout.write(f"{child.pid}\n")
    else:
        sys.stdout.write("holding\n")
    sys.stdout.flush()
    sys.stdin.read()
    lock.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
