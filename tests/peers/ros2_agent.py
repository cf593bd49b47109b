"""A node of ROS 2 that runs what it is told: a JSON text with Python on each line, answered by a line with what that printed.

`node` is the node. Starting an interpreter and finding the other nodes takes a second or two, which this spares each question.
"""

import contextlib
import io
import json
import sys
import time
import traceback

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile

rclpy.init()
node = rclpy.create_node("tester")

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def until(condition, seconds=30):
    """Serves the node until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it never came to be")
        rclpy.spin_once(node, timeout_sec=0.05)


def call(name, kind, **fields):
    """The response of a service that is there, or comes."""
    client = node.create_client(kind, name)
    try:
        if not client.wait_for_service(timeout_sec=30):
            raise TimeoutError(f"{name} never came to be")
        future = client.call_async(kind.Request(**fields))
        until(future.done)
        return future.result()
    finally:
        node.destroy_client(client)


def first(name, kind, qos=LATCHED):
    """The first message of a topic."""
    got = []
    subscription = node.create_subscription(kind, name, got.append, qos)
    try:
        until(lambda: got)
        return got[0]
    finally:
        node.destroy_subscription(subscription)


def named(service, member, *args):
    """What a method returns, called by its name; or why not."""
    from diagnostic_msgs.srv import AddDiagnostics

    wanted = json.dumps({"service": service, "member": member, "args": list(args)})
    response = call("/qi/call_std", AddDiagnostics, load_namespace=wanted)
    return response.success, response.message


print("ready", flush=True)
told = dict(globals())
for line in sys.stdin:
    printed, failed = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(json.loads(line), "<test>", "exec"), told)
        except Exception:
            failed = traceback.format_exc()
    print(json.dumps({"out": printed.getvalue(), "error": failed}), flush=True)
