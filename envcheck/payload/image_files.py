"""Payload for envcheck's own interpreter: the programs of interest in a container's file system, read as a stream.

The request is a JSON line, {"argv": the command that writes the file system as a tar archive}. Nothing is unpacked.
One line: {"pythons": [paths], "shells": [paths], "files"}.
"""

import json
import re
import subprocess
import sys
import tarfile

PYTHON = re.compile(r"^(.*/)?bin/(python(3(\.\d+)?)?|pypy3?)$|^usr/libexec/platform-python$")
SHELL = re.compile(r"^(usr/)?bin/(sh|bash|dash|ash|busybox)$")
MOST = 200


def look(argv):
    """Names in the archive; of links too, because an environment's interpreter is one."""
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    pythons: "list[str]" = []
    shells: "list[str]" = []
    files = 0
    with tarfile.open(fileobj=child.stdout, mode="r|", errorlevel=0) as archive:
        for member in archive:
            files += 1
            name = member.name.removeprefix("./")
            archive.members = []  # type: ignore[attr-defined] # or it would keep all of them
            if member.isdir() or len(name) > 4096:
                continue
            if PYTHON.match(name) and len(pythons) < MOST:
                pythons.append("/" + name)
            elif SHELL.match(name):
                shells.append("/" + name)
    code = child.wait()
    return {"pythons": pythons, "shells": shells, "files": files} if code == 0 else {"unread": "exit status %d" % code}


def answer():
    try:
        return look(json.loads(sys.stdin.buffer.readline())["argv"])
    except Exception as error:
        return {"unread": "%s: %s" % (type(error).__name__, error)}


sys.stdout.write(json.dumps(answer()) + "\n")
sys.stdout.flush()
