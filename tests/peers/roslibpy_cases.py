"""The real roslibpy: runs one case against a bridge, and prints what it has seen as one line of JSON.

roslibpy_cases.py CASE HOST:PORT
"""
import json
import os
import sys
import threading
import time

import roslibpy

ADDRESS = sys.argv[2].rsplit(":", 1)


def connect():
    ros = roslibpy.Ros(host=ADDRESS[0], port=int(ADDRESS[1]))
    ros.run(timeout=30)
    return ros


def call(ros, name, kind, **arguments):
    service = roslibpy.Service(ros, name, kind)
    return dict(service.call(roslibpy.ServiceRequest(arguments), timeout=30))


def failure(*arguments, **more):
    try:
        return {"no failure": call(*arguments, **more)}
    except roslibpy.core.ServiceException as error:
        return str(error)


def rosapi():
    ros = connect()
    return {
        "topics": ros.get_topics(),
        "services": ros.get_services(),
        "topic_type": ros.get_topic_type("/qi/RosProbe/gain"),
        "service_type": ros.get_service_type("/qi/RosProbe/add"),
        "standard_type": ros.get_service_type("/qi/RosProbe/status"),
        "time": dict(ros.get_time()),
        "message_details": ros.get_message_details("std_msgs/Header"),
        "request_details": ros.get_service_request_details("qi_bridge_msgs/RosProbeAdd"),
        "params": ros.get_params(),
        "param": ros.get_param("/qi/services"),
    }


def calls():
    ros = connect()
    package = "qi_bridge_msgs/RosProbe"
    return {
        "add": call(ros, "/qi/RosProbe/add", package + "Add", a=2, b=3),
        "boom": failure(ros, "/qi/RosProbe/boom", package + "Boom", why="it broke"),
        "pose": call(ros, "/qi/RosProbe/pose", package + "Pose"),
        "blob": call(ros, "/qi/RosProbe/blob", package + "Blob", n=4),
        "enable": call(ros, "/qi/RosProbe/enable", "std_srvs/SetBool", data=True),
        "unknown": failure(ros, "/qi/RosProbe/unknown", "std_srvs/Trigger"),
    }


def serves():
    """Serves until it is asked for 99, of which it dies."""
    ros = connect()

    def handle(request, response):
        if request["number"] == 99:
            print("dying", flush=True)
            os._exit(0)
        response["message"] = "served: %d" % request["number"]
        return request["number"] != 13

    roslibpy.Service(ros, "/served", "std_srvs/Trigger").advertise(handle)
    print("serving", flush=True)
    time.sleep(600)


def topics():
    talker, listener = connect(), connect()
    heard, full = [], threading.Event()
    chat = roslibpy.Topic(talker, "/chat", "std_msgs/String", latch=True)
    chat.advertise()
    chat.publish(roslibpy.Message({"data": "latched"}))

    def hear(message):
        heard.append(message["data"])
        if len(heard) == 1:
            for text in ("hello", "world"):
                chat.publish(roslibpy.Message({"data": text}))
        if len(heard) == 3:
            full.set()

    for _ in range(200):
        if "/chat" in listener.get_topics():
            break
        time.sleep(0.01)
    roslibpy.Topic(listener, "/chat", "std_msgs/String").subscribe(hear)
    full.wait(30)
    return heard


def lab():
    """Serves a switch, prints the answers that it hears, and says what its input says."""
    ros = connect()

    def switch(request, response):
        response["success"], response["message"] = True, "on"
        return request["data"]

    roslibpy.Service(ros, "/switch", "std_srvs/SetBool").advertise(switch)
    roslibpy.Topic(ros, "/answers", "lab_msgs/Word").subscribe(lambda word: print(json.dumps(word), flush=True))
    chatter = roslibpy.Topic(ros, "/chatter", "lab_msgs/Word")
    chatter.advertise()
    for line in sys.stdin:
        chatter.publish(roslibpy.Message({"text": line.strip(), "weight": 0.5}))


def nao():
    """Drives and hears a robot by its profile."""
    ros = connect()

    def first(topic, kind):
        heard, seen = [], threading.Event()
        listener = roslibpy.Topic(ros, topic, kind)
        listener.subscribe(lambda message: (heard.append(message), seen.set()))
        seen.wait(30)
        listener.unsubscribe()
        return heard[0]

    joints = first("/joint_states", "sensor_msgs/JointState")
    image = first("/camera/front/image_raw", "sensor_msgs/Image")
    battery = first("/battery", "sensor_msgs/BatteryState")
    roslibpy.Topic(ros, "/speech", "std_msgs/String").publish(roslibpy.Message({"data": "hello"}))
    drive = roslibpy.Topic(ros, "/cmd_vel", "geometry_msgs/Twist")
    drive.advertise()
    for _ in range(10):
        drive.publish(roslibpy.Message({"linear": {"x": 0.5, "y": 0.0, "z": 0.0}, "angular": {"x": 0.0, "y": 0.0, "z": 0.0}}))
        time.sleep(0.05)
    return {
        "joints": joints,
        "image": [image["width"], image["height"], image["encoding"], len(image["data"])],
        "battery": [battery["percentage"], battery["voltage"]],
    }


CASES = {"rosapi": rosapi, "calls": calls, "serves": serves, "topics": topics, "lab": lab, "nao": nao}
print(json.dumps(CASES[sys.argv[1]](), default=dict), flush=True)
# Its reactor's threads would hold up the end.
os._exit(0)
