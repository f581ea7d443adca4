"""ports — free ports on loopback for servers that are about to bind them."""
import errno
import socket


def free_port(host="127.0.0.1"):
    """A port that TCP and UDP both had free a moment ago. Whoever binds it must expect to lose the race and ask again."""
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind((host, 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            return port
    raise RuntimeError("no free port on " + host)


def free_ports(count, host="127.0.0.1"):
    found = []
    while len(found) < count:
        port = free_port(host)
        if port not in found:
            found.append(port)
    return found
