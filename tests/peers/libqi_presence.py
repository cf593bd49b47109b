"""The real libqi as a program inside that watches who comes and goes.

usage: libqi_presence.py URL

Connects to a directory, subscribes to the signals of its service `Presence`, prints `ready []`, and then a line of JSON for
each signal: its name and its arguments. Runs until its standard input ends.
"""
import json
import sys

import qi


def plain(value):
    """A struct as a dictionary."""
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    return value


def main():
    session = qi.Session()
    session.connect(sys.argv[1])
    presence = session.service("Presence")

    def tell(name):
        return lambda *arguments: print(json.dumps([name, *map(plain, arguments)]), flush=True)

    for name in ("joined", "left", "addressChanged", "serviceJoined", "serviceLeft"):
        getattr(presence, name).connect(tell(name))
    print("ready []", flush=True)
    sys.stdin.read()
    session.close()


main()
