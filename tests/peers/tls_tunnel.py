"""TLS around the connections of a program that cannot be given certificates, such as libqi from Python.

usage: tls_tunnel.py server HOST:PORT CERTIFICATE KEY     accepts TLS, and connects in plain text
       tls_tunnel.py client HOST:PORT [CERTIFICATE KEY]   accepts plain text, and connects with TLS, showing the certificate

Speaks TLS 1.2, as libqi does. Prints `ready URL` and runs until its standard input ends.
"""
import os
import socket
import ssl
import sys
import threading

side, target, files = sys.argv[1], sys.argv[2].rsplit(":", 1), sys.argv[3:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT)
context.maximum_version = ssl.TLSVersion.TLSv1_2
if side == "client":
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
if files:
    context.load_cert_chain(*files)


def copy(source, sink):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(accepted):
    try:
        if side == "server":
            accepted = context.wrap_socket(accepted, server_side=True)
        connected = socket.create_connection(target)
        if side == "client":
            connected = context.wrap_socket(connected)
    except OSError:
        accepted.close()
        return
    threading.Thread(target=copy, args=(accepted, connected), daemon=True).start()
    copy(connected, accepted)


def accept(listener):
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=serve, args=(accepted,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
print("ready %s://127.0.0.1:%d" % ("tcps" if side == "server" else "tcp", listener.getsockname()[1]), flush=True)
sys.stdin.read()
os._exit(0)
