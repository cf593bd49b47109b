"""Calls of ROS 2 as rclpy sees them: of a bridge, and of a node of rclpy, by turns.

usage: bridge_ros2.py calls SERVICE...   p50 of each in microseconds
       bridge_ros2.py serve              /peer/enable
"""
import sys
import time

import rclpy
import std_srvs.srv

CALLS = 1000


def p50(node, client):
    spent = []
    for number in range(CALLS):
        began = time.perf_counter()
        future = client.call_async(std_srvs.srv.SetBool.Request(data=number % 2 == 0))
        rclpy.spin_until_future_complete(node, future, timeout_sec=10)
        spent.append(time.perf_counter() - began)
        assert future.result().success == (number % 2 == 0), future.result()
    return sorted(spent)[CALLS // 2] * 1e6


def calls(node, services):
    clients = [node.create_client(std_srvs.srv.SetBool, name) for name in services]
    for client in clients:
        assert client.wait_for_service(30), client.srv_name
    for client in clients:
        p50(node, client)
    print(*["%.1f" % p50(node, client) for client in clients], flush=True)


def serve(node):
    def enable(request, response):
        response.success = request.data
        return response

    node.create_service(std_srvs.srv.SetBool, "/peer/enable", enable)
    print("ready", flush=True)
    rclpy.spin(node)


rclpy.init()
if sys.argv[1] == "calls":
    calls(rclpy.create_node("bench_caller"), sys.argv[2:])
else:
    serve(rclpy.create_node("bench_peer"))
