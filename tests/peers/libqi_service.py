"""A service hosted by the real libqi, for tests of Rust clients.

usage: libqi_service.py NAME [URL]

With a URL it registers at that directory; without one it starts libqi's own. Prints `ready URL` and runs until its
standard input ends. The members are those of the conformance suite's service, and typed ones on top.
"""
import os
import sys

import qi

TYPES = ["b", "c", "C", "w", "W", "i", "I", "l", "L", "f", "d", "s", "[i]", "[s]", "{si}", "{i[s]}", "(is)", "()", "+i",
         "[[i]]", "{s[(is)]}", "(b(cC)[w])", "(is)<Point,x,label>", "m", "[m]", "{sm}"]


class Child(object):
    def __init__(self, tag):
        self.tag = tag
        self.fired = qi.Signal("(i)")
        self.label = qi.Property("s")

    @qi.bind("s", [])
    def who(self):
        return self.tag

    @qi.bind("v", ["i"])
    def fire(self, i):
        self.fired(i)


@qi.multiThreaded()
class Service(object):
    """A service with one member of each kind."""

    def __init__(self):
        self.changed = qi.Signal("(is)")
        self.anything = qi.Signal("m")
        self.handed = qi.Signal("(o)")
        self.level = qi.Property("i")
        self.kept = []

    @qi.bind("i", ["i", "i"])
    def add(self, a, b):
        """Adds."""
        return a + b

    @qi.bind("s", ["i"], "over")
    def over_i(self, x):
        return "int"

    @qi.bind("s", ["s"], "over")
    def over_s(self, x):
        return "str"

    @qi.bind("v", [])
    def nothing(self):
        pass

    def boom(self):
        raise ValueError("kaboom")

    def slow(self):
        self.promise = qi.Promise(lambda p: p.setCanceled())
        return self.promise.future()

    @qi.bind("v", ["i", "s"])
    def emit(self, i, s):
        self.changed(i, s)

    @qi.bind("v", [])
    def hand(self):
        self.handed(Child("handed"))

    @qi.bind("o", [])
    def make(self):
        return Child("made")

    @qi.bind("[m]", ["i"])
    def make_many(self, n):
        return [Child(str(i)) for i in range(n)]

    @qi.bind("i", ["o"])
    def keep(self, o):
        self.kept.append(o)
        return len(self.kept)

    @qi.bind("i", ["i"])
    def call_kept(self, x):
        return self.kept[-1].twice(x)

    @qi.bind("o", [])
    def give_back(self):
        return self.kept[-1]

    @qi.bind("v", [])
    def drop(self):
        self.kept = []


def add_echoes():
    for position, signature in enumerate(TYPES):
        def echo(self, x):
            return x
        echo.__name__ = "echo%02d" % position
        setattr(Service, echo.__name__, qi.bind(signature, [signature])(echo))


def main():
    add_echoes()
    name, url = sys.argv[1], (sys.argv[2:] or [None])[0]
    application = qi.Application(["libqi_service", "--qi-log-level=1"])  # noqa: F841  keeps libqi alive
    session = qi.Session()
    if url:
        session.connect(url, _async=True).value(10000)
        session.listen("tcp://127.0.0.1:0")
    else:
        session.listenStandalone("tcp://127.0.0.1:0")
        url = session.url()
    session.registerService(name, Service())
    print("ready " + url, flush=True)
    sys.stdin.read()
    os._exit(0)  # libqi's threads must not delay the end


main()
