"""The real libqi as a client with a certificate, which tries what it may do.

usage: libqi_caller.py SHIM CERT KEY CA URL SERVICE METHOD...

Shows the certificate by way of SHIM, which is show_certificate.c compiled. Connects, calls each method with a text, and prints
`ready {...}`, JSON of what came of it: answers, and errors as text; for "connect" null or an error. Runs until its standard input ends.
"""
import json
import os
import sys

SHIM, CERT, KEY, CA, URL, NAME, *METHODS = sys.argv[1:]
if os.environ.get("LD_PRELOAD") != SHIM:
    # The loader has looked at it already: once more from the beginning.
    os.environ.update(LD_PRELOAD=SHIM, SHOWN_CERT=CERT, SHOWN_KEY=KEY, SHOWN_CA=CA)
    os.execv(sys.executable, [sys.executable, *sys.argv])

import qi


def outcome(action):
    try:
        return action()
    except RuntimeError as error:
        return str(error)


def main():
    session = qi.Session()
    got = {"connect": outcome(lambda: session.connect(URL))}
    if session.isConnected():
        service = session.service(NAME)
        got.update((method, outcome(lambda: service.call(method, "x"))) for method in METHODS)
    print("ready " + json.dumps(got), flush=True)
    sys.stdin.read()
    session.close()


main()
