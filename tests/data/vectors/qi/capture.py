#!/usr/bin/env python3
"""Re-captures the golden vectors from a real libqi (PyPI package `qi`).

usage: python capture.py OUTDIR
A recording TCP relay sits between a real libqi client and a real libqi
directory; every frame is stored with its decoded header and payload.
"""
import json
import os
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "conformance", "qi"))
import qiwire as w  # noqa: E402
import qi  # noqa: E402


class Relay(object):
    def __init__(self, upstream_port):
        self.up = upstream_port
        self.ls = socket.socket()
        self.ls.bind(("127.0.0.1", 0))
        self.ls.listen(20)
        self.url = "tcp://127.0.0.1:%d" % self.ls.getsockname()[1]
        self.log, self.lock = [], threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        n = 0
        while True:
            c, _ = self.ls.accept()
            u = socket.create_connection(("127.0.0.1", self.up))
            for s in (c, u):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pump, args=(n, "client->server", c, u), daemon=True).start()
            threading.Thread(target=self._pump, args=(n, "server->client", u, c), daemon=True).start()
            n += 1

    def _pump(self, n, direction, a, b):
        buf = b""
        while True:
            try:
                x = a.recv(1 << 16)
            except OSError:
                x = b""
            if not x:
                with self.lock:
                    self.log.append((n, direction, None))
                try:
                    b.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                return
            buf += x
            while len(buf) >= 28:
                _, size, f = w.Frame.unpack_header(buf[:28])
                if len(buf) < 28 + size:
                    break
                f.payload = buf[28:28 + size]
                with self.lock:
                    self.log.append((n, direction, f))
                buf = buf[28 + size:]
            b.sendall(x)


def plain(v):
    if isinstance(v, w.Dyn):
        return {"dynamic": v.sig, "value": plain(v.value)}
    if isinstance(v, w.Obj):
        return {"object": {"service": v.service, "object": v.object,
                           "uid": v.uid.hex() if v.uid else None,
                           "metaObject": plain(v.meta)}}
    if isinstance(v, bytes):
        return {"bytes": v.hex()}
    if isinstance(v, dict):
        return [[plain(k), plain(x)] for k, x in v.items()]
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v


class Decoder(object):
    """Knows the metaobjects seen so far, to name the payload signature."""

    def __init__(self):
        self.meta = {}
        self.caps = {"ObjectPtrUID": True}
        self.calls = {}

    def method(self, f):
        m = self.meta.get((f.service, f.object))
        special = {0: ("(IIL)", "L"), 1: ("(IIL)", "v"), 2: ("(I)", w.METAOBJECT_SIG), 3: ("(I)", "v"),
                   5: ("(m)", "m"), 6: ("(mm)", "v"), 7: ("()", "[s]"), 8: ("(IILs)", "L"),
                   80: ("()", "b"), 81: ("(b)", "v"), 84: ("()", "b")}
        if f.service == 0:
            return ("{sm}", "{sm}", "authenticate")
        if f.action in special:
            names = {0: "registerEvent", 1: "unregisterEvent", 2: "metaObject", 3: "terminate",
                     5: "property", 6: "setProperty", 7: "properties", 8: "registerEventWithSignature"}
            return special[f.action] + (names.get(f.action, "manageable %d" % f.action),)
        if m and f.action in m[0]:
            x = m[0][f.action]
            return (x[3], x[1], x[2])
        if m and f.action in m[1]:
            x = m[1][f.action]
            return (x[2], None, "signal " + x[1])
        return (None, None, None)

    def describe(self, f):
        par, ret, name = self.method(f)
        sig = None
        if f.type in (w.CALL, w.POST, w.EVENT):
            sig = par
        elif f.type == w.REPLY:
            sig = ret
        elif f.type == w.ERROR:
            sig = "m"
        elif f.type == w.CAPABILITY:
            sig = "{sm}"
        elif f.type == w.CANCEL:
            sig, name = "I", "cancel: payload is the id of the call to cancel"
        elif f.type == w.CANCELED:
            sig = "v"
        if f.flags & w.FLAG_DYNAMIC:
            sig = "m"
        value = None
        if sig:
            try:
                value = w.decode(sig, f.payload, self.caps)
                if f.type == w.REPLY and f.action == 2 and f.service:
                    self.meta[(f.service, f.object)] = value
                for o in self._objects(value):
                    self.meta[(o.service, o.object)] = o.meta
            except Exception as e:  # keep the bytes, say why
                value = {"undecoded": str(e)}
        return name, sig, plain(value)

    def _objects(self, v):
        if isinstance(v, w.Obj):
            yield v
        elif isinstance(v, w.Dyn):
            for o in self._objects(v.value):
                yield o
        elif isinstance(v, (list, tuple)):
            for x in v:
                for o in self._objects(x):
                    yield o
        elif isinstance(v, dict):
            for x in v.values():
                for o in self._objects(x):
                    yield o


def to_json(entries, dec):
    out = []
    for conn, direction, f in entries:
        if f is None:
            out.append({"connection": conn, "direction": direction, "event": "end of stream"})
            continue
        name, sig, value = dec.describe(f)
        out.append({
            "connection": conn, "direction": direction,
            "header": {"magic": "42dead42", "id": f.id, "size": len(f.payload), "version": f.version,
                       "type": f.type, "typeName": w.TYPE_NAMES.get(f.type), "flags": f.flags,
                       "service": f.service, "object": f.object, "action": f.action},
            "what": name, "payloadSignature": sig, "payload": value,
            "hex": f.pack().hex()})
    return out


TYPES = ["b", "c", "C", "w", "W", "i", "I", "l", "L", "f", "d", "s", "m", "[i]", "[s]", "{si}",
         "(is)", "(is)<Point,x,label>", "+i", "[[i]]", "{s[(is)]}", "[m]", "{sm}", "(b(cC)[w])", "r"]
VALUES = [True, -5, 200, -300, 60000, -70000, 4000000000, -(2 ** 40), 2 ** 40, 1.5, -2.25,
          "h\u00e9llo", "dyn", [1, 2, 3], ["a", ""], {"k": 7}, (1, "a"), (2, "b"), 5, [[1], [], [2, 3]],
          {"k": [(1, "x")]}, [1, "a", None], {"k": 1.5, "n": [1]}, (True, (1, 2), [3]), "raw\u0000bytes"]


def make_service():
    ns = {}
    for n, s in enumerate(TYPES):
        def f(self, x):
            return x
        f.__name__ = "t%02d" % n
        ns[f.__name__] = qi.bind(s, [s])(f)

    def opt_none(self, x):
        return None if x is None else x
    ns["opt"] = qi.bind("+i", ["+i"])(opt_none)

    def nothing(self):
        pass
    ns["nothing"] = qi.bind("v", [])(nothing)

    # compiled under a neutral file name: the error text of Python services ends with a trace
    scope = {}
    exec(compile('def boom(self):\n    raise RuntimeError("kaboom")\n', "service.py", "exec"), scope)
    ns["boom"] = scope["boom"]

    def add(self, a, b):
        return a + b
    ns["add"] = qi.bind("i", ["i", "i"])(add)

    def slow(self):
        self.promise = qi.Promise(lambda p: p.setCanceled())
        return self.promise.future()
    ns["slow"] = slow

    def make(self):
        return Child()
    ns["make"] = make

    def keep(self, o):
        self.kept = o
        return True
    ns["keep"] = keep

    def callKept(self, x):
        return self.kept.twice(x)
    ns["callKept"] = callKept

    def drop(self):
        self.kept = None
    ns["drop"] = drop

    def init(self):
        self.changed = qi.Signal("(is)")
        self.anything = qi.Signal("m")
        self.level = qi.Property("i")
        self.kept = None
    ns["__init__"] = init
    return type("Types", (object,), ns)()


class Child(object):
    def __init__(self):
        self.fired = qi.Signal("(i)")

    def hello(self, x):
        return "hello %s" % x


class Callback(object):
    def twice(self, x):
        return 2 * x


def main(outdir):
    qi.Application(["capture"])
    sd = qi.Session()
    sd.listenStandalone("tcp://127.0.0.1:0")
    relay = Relay(int(sd.url().rsplit(":", 1)[1]))
    dec = Decoder()
    mark = [0]

    def save(name, note):
        time.sleep(0.25)
        with relay.lock:
            entries = relay.log[mark[0]:]
            mark[0] = len(relay.log)
        doc = {"name": name, "note": note, "frames": to_json(entries, dec)}
        with open(os.path.join(outdir, name + ".json"), "w") as fh:
            json.dump(doc, fh, indent=1, ensure_ascii=False)
            fh.write("\n")
        print(name, len(doc["frames"]))

    c = qi.Session()
    c.connect(relay.url)
    save("01-connect", "libqi client session connecting to a directory without authentication")
    c.services()
    save("02-services", "services() on the directory")
    h = qi.Session()
    h.connect(relay.url)
    h.listen("tcp://127.0.0.1:0")
    save("03-host-connect", "second session (service host) connecting")
    ident = h.registerService("Hosted", Child())
    save("04-register", "registerService then serviceReady; serviceAdded events to both sessions")
    h.unregisterService(ident)
    save("05-unregister", "unregisterService; serviceRemoved events to both sessions")
    h.close()
    save("06-host-close", "orderly close of the host session: plain TCP end of stream")
    service = make_service()
    sd.registerService("Types", service)
    mark[0] = len(relay.log)
    t = c.service("Types")
    save("07-service-lookup", "service(name) then metaObject on the reused directory connection")
    for n, (s, v) in enumerate(zip(TYPES, VALUES)):
        try:
            getattr(t, "t%02d" % n)(v)
        except Exception as e:
            print("  ", s, str(e)[:100])
    t.opt(None)
    t.opt(3)
    t.nothing()
    t.add(40, 2)
    save("08-types", "call and reply of every basic and composite type; method tNN echoes type number NN of: "
         + " ".join(TYPES))
    for f in (lambda: t.boom(), lambda: t.add("x", "y")):
        try:
            f()
        except Exception:
            pass
    save("09-errors", "exception in a method; arguments not convertible (retried by libqi as dynamic payload)")
    got = []
    link = t.changed.connect(lambda *a: got.append(a))
    t.changed(7, "seven")
    time.sleep(0.2)
    t.changed.disconnect(link)
    link = t.anything.connect(lambda *a: got.append(a))
    t.anything(1, "two")
    time.sleep(0.2)
    t.anything.disconnect(link)
    save("10-signals", "subscribe, remote emission (Post), Event, unsubscribe; typed signal then dynamic signal")
    link = t.level.connect(lambda *a: got.append(a))
    t.level.setValue(3)
    t.level.value()
    time.sleep(0.2)
    t.level.disconnect(link)
    save("11-property", "property change subscription, setProperty, Event, property, unsubscribe")
    f = t.slow(_async=True)
    time.sleep(0.2)
    f.cancel()
    time.sleep(0.2)
    save("12-cancel", "call whose result is a future, Cancel, Canceled")
    o = t.make()
    o.hello(1)
    fired = o.fired.connect(lambda *a: got.append(a))
    o.fired(4)
    time.sleep(0.2)
    o.fired.disconnect(fired)
    del o
    save("13-object-returned", "object returned by a method, called, its signal used, then released (Post terminate)")
    t.keep(Callback())
    t.callKept(21)
    t.drop()
    save("14-object-argument", "client hosted object passed as argument, called back by the server, then released")
    raw = w.RawPeer(relay.url)
    raw.send(w.Frame(w.CALL, 1, 1, 108))
    raw.recv()
    raw.send(w.Frame(w.POST, 0, 0, 3))
    raw.recv()
    raw.send(w.Frame(w.CALL, 1, 1, 108))
    raw.recv()
    raw.send(w.Frame(w.CALL, 99, 1, 100))
    raw.recv()
    raw.send(w.Frame(w.CALL, 3, 77, 100))
    raw.recv()
    raw.send(w.Frame(w.CALL, 3, 1, 9999))
    raw.recv()
    raw.send(w.Frame(w.CALL, 3, 1, 2))
    raw.recv()
    raw.send(w.Frame(w.CALL, 1, 1, 108, version=1))
    raw.recv()
    raw.close()
    save("15-protocol-errors", "call before authentication; capability message in answer to a non authentication "
         "frame; unknown service, object, action; truncated payload; version 1")
    c.close()
    save("16-close", "client session closing")
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else HERE)
