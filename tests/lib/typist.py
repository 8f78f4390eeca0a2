#!/usr/bin/env python3
"""Runs a command on a terminal and types into it:  typist.py [-s ROWSxCOLUMNS] STEPS COMMAND...

STEPS are words separated by blanks: "?TEXT" waits until the command has said TEXT (regular expression, no blanks), "+TEXT" types
TEXT with Python's escapes. Prints all that the command said, and ends with its status. Whoever waits longer than 30 s fails.
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time


def main():
    args = sys.argv[1:]
    size = (24, 80)
    if args[0] == "-s":
        size = tuple(int(n) for n in args[1].split("x"))
        args = args[2:]
    steps, command = args[0].split(), args[1:]
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        os.execvp(command[0], command)
    said, seen, deadline, status = b"", 0, time.monotonic() + 30, None
    while True:
        while steps:
            kind, text = steps[0][0], steps[0][1:].encode().decode("unicode_escape").encode("latin-1")
            if kind == "+":
                os.write(fd, text)
            else:
                found = re.compile(text).search(said, seen)
                if not found:
                    break
                seen = found.end()
            steps.pop(0)
        if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
            sys.stdout.buffer.write(said)
            sys.exit(f"typist: waited in vain, left: {steps}")
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            break
        said += data
    sys.stdout.buffer.write(said)
    sys.stdout.flush()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if steps:
        sys.exit(f"typist: the command ended, left: {steps}")
    sys.exit(status if status >= 0 else 128 - status)


main()
