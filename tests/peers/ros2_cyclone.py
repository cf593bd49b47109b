"""A program on Cyclone DDS that sees the bridge as nodes on rmw_cyclonedds_cpp do: requests are named in front of their bodies.

There is no wheel of that middleware; what it puts on the wire is written out here.
"""

import sys
import time
from dataclasses import dataclass

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import float64, int32, int64, uint64
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration


@dataclass
class Request(IdlStruct, typename="std_srvs::srv::dds_::SetBool_Request_"):
    client: uint64
    number: int64
    data: bool


@dataclass
class Response(IdlStruct, typename="std_srvs::srv::dds_::SetBool_Response_"):
    client: uint64
    number: int64
    success: bool
    message: str


@dataclass
class Int32(IdlStruct, typename="std_msgs::msg::dds_::Int32_"):
    data: int32


@dataclass
class Float64(IdlStruct, typename="std_msgs::msg::dds_::Float64_"):
    data: float64


RELIABLE = Policy.Reliability.Reliable(duration(seconds=1))
USUAL = Qos(RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(10))
LATCHED = Qos(RELIABLE, Policy.Durability.TransientLocal, Policy.History.KeepLast(1))


def until(what, seconds=30):
    end = time.monotonic() + seconds
    while not (got := what()):
        if time.monotonic() > end:
            raise TimeoutError("it never came to be")
        time.sleep(0.02)
    return got


participant = DomainParticipant(int(sys.argv[1]))
topic = lambda name, kind: Topic(participant, name, kind)

gain = DataReader(participant, topic("rt/qi/RosProbe/gain", Float64), qos=LATCHED)
print("gain", until(gain.take)[0].data, flush=True)

writer = DataWriter(participant, topic("rq/qi/RosProbe/enableRequest", Request), qos=USUAL)
reader = DataReader(participant, topic("rr/qi/RosProbe/enableReply", Response), qos=USUAL)
until(writer.get_matched_subscriptions)
until(reader.get_matched_publications)
for number, on in enumerate((True, False, True)):
    writer.write(Request(client=77, number=number, data=on))
    response = until(reader.take)[0]
    assert (response.client, response.number) == (77, number), response
    print(response.success, repr(response.message), flush=True)

ticks = DataReader(participant, topic("rt/qi/RosProbe/tick", Int32), qos=USUAL)
until(ticks.get_matched_publications)
print("listening", flush=True)
got = []
until(lambda: got.extend(sample.data for sample in ticks.take()) or len(got) >= 3)
print(got, flush=True)
