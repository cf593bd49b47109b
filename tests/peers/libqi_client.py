"""The real libqi as a client, for tests of Rust services.

usage: libqi_client.py NAME URL

Connects, calls `twice` and `echo` of the service, hears its signal `changed` after calling `change`, and prints
`ready {...}`, JSON of what it got. Runs until its standard input ends.
"""
import json
import sys
import threading

import qi


def main():
    name, url = sys.argv[1:]
    session = qi.Session()
    session.connect(url)
    service = session.service(name)
    heard, event = [], threading.Event()

    def hear(number):
        heard.append(number)
        if len(heard) == 3:
            event.set()

    link = service.changed.connect(hear)
    for number in (1, 2, 3):
        service.change(number)
    event.wait(10)
    service.changed.disconnect(link)
    text = "keyway " * 100000
    got = {
        "twice": service.twice(21),
        "echo": service.echo(text) == text,
        "heard": sorted(heard),
        "services": [info["name"] if isinstance(info, dict) else info[0] for info in session.services()],
    }
    print("ready " + json.dumps(got), flush=True)
    sys.stdin.read()
    session.close()


main()
