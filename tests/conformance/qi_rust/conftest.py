"""The conformance suite's fixtures, with the service hosted by the Rust SDK instead of libqi.

`KEYWAY_CONFORMANCE_SERVICE` names the built `conformance_service`; everything else is as in ../qi/conftest.py.
"""
import os
import subprocess
import sys

QI = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "qi")
sys.path.insert(0, QI)
with open(os.path.join(QI, "conftest.py")) as _file:
    exec(compile(_file.read().replace("HERE = os.path.dirname(os.path.abspath(__file__))", "HERE = %r" % QI),
                 os.path.join(QI, "conftest.py"), "exec"))


class _Level(object):
    def __init__(self, service):
        self.service = service

    def setValue(self, value):
        do(self.service.set_level_here, value)


class _Impl(object):
    """What tests do to the service object itself goes through a method of the Rust service."""

    def __init__(self, service):
        self.level = _Level(service)


@pytest.fixture(scope="session")
def service_name():
    name = unique("RustConformance")
    process = subprocess.Popen([os.environ["KEYWAY_CONFORMANCE_SERVICE"], INTERNAL(), name],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line.split() == ["ready", name], line
    yield name
    process.stdin.close()
    process.wait(10)


@pytest.fixture(scope="session")
def impl(svc):
    return _Impl(svc)


@pytest.fixture(scope="session")
def ordered_name(service_name):
    return service_name + ".ordered"
