"""Calls and topics of ROS 1 as rospy sees them: of a bridge, and of a node of rospy, by turns.

usage: bridge_ros1.py calls SERVICE...      p50 of each in microseconds
       bridge_ros1.py topic TOPIC COUNT EVERY  prints `ready` when connected, `more` after each EVERY messages; then seconds from
                                            the first message to the last, and how many came
       bridge_ros1.py serve                 /peer/enable, and `COUNT SIZE` on standard input to publish on /peer/text
"""
import sys
import threading
import time

import rospy
import std_msgs.msg
import std_srvs.srv

CALLS = 1000


def p50(proxy):
    spent = []
    for number in range(CALLS):
        began = time.perf_counter()
        answer = proxy(number % 2 == 0)
        spent.append(time.perf_counter() - began)
        assert answer.success == (number % 2 == 0), answer
    return sorted(spent)[CALLS // 2] * 1e6


def calls(services):
    proxies = [rospy.ServiceProxy(name, std_srvs.srv.SetBool, persistent=True) for name in services]
    for name in services:
        rospy.wait_for_service(name, 30)
    for proxy in proxies:
        p50(proxy)
    print(*["%.1f" % p50(proxy) for proxy in proxies], flush=True)


def topic(name, count, every):
    times, done = [], threading.Event()

    def heard(message):
        times.append(time.perf_counter())
        if len(times) >= count:
            done.set()
        elif len(times) % every == 0:
            print("more", flush=True)

    subscriber = rospy.Subscriber(name, std_msgs.msg.String, heard)
    while subscriber.get_num_connections() == 0:
        time.sleep(0.01)
    print("ready", flush=True)
    done.wait(60)
    print("%.6f %d" % (times[-1] - times[0] if times else 0, len(times)), flush=True)


def serve():
    rospy.Service("/peer/enable", std_srvs.srv.SetBool, lambda request: (request.data, ""))
    publisher = rospy.Publisher("/peer/text", std_msgs.msg.String, queue_size=None)
    print("ready", flush=True)
    for line in sys.stdin:
        count, size = map(int, line.split())
        message = std_msgs.msg.String("x" * size)
        for _ in range(count):
            publisher.publish(message)


rospy.init_node("bench", anonymous=True, disable_signals=True, disable_rosout=True)
if sys.argv[1] == "calls":
    calls(sys.argv[2:])
elif sys.argv[1] == "topic":
    topic(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
else:
    serve()
