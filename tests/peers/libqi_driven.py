"""The real libqi, driven by a test.

Reads Python programs from standard input, one on each line and encoded as JSON, and runs them one after the other in one scope. Answers
each with a line of JSON: {"ok": value of its last expression} or {"error": text}. Ends when its standard input does.
"""
import ast
import json
import os
import sys
import threading  # noqa: F401  for the programs
import time
import traceback

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # libqi logs to standard output
os.environ.setdefault("QI_LOG_LEVEL", "1")

import qi  # noqa: E402


class Authenticator(object):
    def __init__(self, words):
        self.words = words

    def newAuthenticator(self):
        return self

    def initialAuthData(self):
        return self.words


def connect(url, user=None, token=None, prepare=None):
    """A session; `prepare` is called with it before it connects."""
    session = qi.Session()
    if user is not None:
        session.setClientAuthenticatorFactory(Authenticator({"user": user, "token": token or ""}))
    if prepare:
        prepare(session)
    session.connect(url, _async=True).value(10000)
    return session


def do(method, *arguments):
    """Calls a method, and does not wait for ever."""
    return method(*arguments, _async=True).value(20000)


def refused(method, *arguments):
    """Calls a method that fails, and gives the error's text."""
    try:
        result = do(method, *arguments)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("not refused: %r" % (result,))


def until(predicate):
    """Waits until something is so."""
    end = time.monotonic() + 30
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError("it does not become so")
        time.sleep(0.01)
    return True


def names(session):
    return [info["name"] for info in do(session.services)]


def run(program, scope):
    tree = ast.parse(program)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<test>", "exec"), scope)
    return eval(compile(ast.Expression(last.value), "<test>", "eval"), scope) if last else None


def main():
    scope = dict(globals())
    application = qi.Application(["libqi_driven", "--qi-log-level=1"])  # noqa: F841  keeps libqi alive
    for line in sys.stdin:
        try:
            answer = {"ok": run(json.loads(line), scope)}
        except Exception as error:  # whatever it is, the test is told
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<test>"]
            answer = {"error": "%s in line %s: %s" % (type(error).__name__, lines, error)}
        print(json.dumps(answer, default=str), file=answers, flush=True)
    os._exit(0)  # libqi's threads must not delay the end


main()
