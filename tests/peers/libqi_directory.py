"""libqi's own service directory.

usage: libqi_directory.py URL

Prints `ready URL` and runs until its standard input ends.
"""
import os
import sys

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # libqi logs to standard output
os.environ.setdefault("QI_LOG_LEVEL", "1")

import qi  # noqa: E402

application = qi.Application(["libqi_directory", "--qi-log-level=1"])
session = qi.Session()
session.listenStandalone(sys.argv[1])
print("ready " + session.url(), file=answers, flush=True)
sys.stdin.read()
os._exit(0)  # libqi's threads must not delay the end
