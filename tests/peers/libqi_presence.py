"""The real libqi as a program inside that watches who comes and goes.

usage: libqi_presence.py URL

Connects to a directory, subscribes to the signals of its service `Presence`, prints `ready []`, and then a line of JSON for
each signal: its name and its arguments. Runs until its standard input ends.
"""
import json
import os
import sys

import qi


def plain(value):
    """A struct as a dictionary."""
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    return value


def say(line):
    """One write a line: libqi calls back on several threads, and `print` writes the end of the line apart."""
    os.write(1, (line + "\n").encode())


def main():
    session = qi.Session()
    session.connect(sys.argv[1])
    presence = session.service("Presence")

    def tell(name):
        return lambda *arguments: say(json.dumps([name, *map(plain, arguments)]))

    for name in ("joined", "left", "addressChanged", "serviceJoined", "serviceLeft"):
        getattr(presence, name).connect(tell(name))
    say("ready []")
    sys.stdin.read()
    session.close()


main()
