"""A directory and a service of the real libqi, for `keyway bench` to measure.

usage: libqi_bench_host.py [LISTEN_URL]

Starts libqi's own directory with a service `Bench` in the same process, as a robot's are. Prints `ready URL` and runs until
its standard input ends. The members:

    echo(r) -> r      the buffer it was given
    fired(i)          signals for `keyway bench events`, triggered by posting on them
    blob(r)
"""
import os
import sys

import qi


@qi.multiThreaded()
class Bench(object):
    """What `keyway bench` measures."""

    def __init__(self):
        self.fired = qi.Signal("(i)")
        self.blob = qi.Signal("(r)")

    @qi.bind("r", ["r"])
    def echo(self, buffer):
        """Gives the buffer back."""
        return buffer


def main():
    listen = (sys.argv[1:] or ["tcp://127.0.0.1:0"])[0]
    application = qi.Application(["libqi_bench_host", "--qi-log-level=1"])  # noqa: F841  keeps libqi alive
    session = qi.Session()
    session.listenStandalone(listen)
    session.registerService("Bench", Bench())
    print("ready " + session.url(), flush=True)
    sys.stdin.read()
    os._exit(0)  # libqi's threads must not delay the end


main()
