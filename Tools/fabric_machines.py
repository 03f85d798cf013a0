"""Machines, links and servers of a fabric on this machine, for tools that break or measure them."""

import os
import select
import socket
import subprocess
import sys
import threading


def call(*command, check=True):
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if check and result.returncode != 0:
        raise OSError(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.returncode == 0


class Host:
    """This machine itself."""

    def command(self, machine, command):
        return command

    def host(self, machine):
        return "127.0.0.1"

    def close(self):
        pass


class Namespaces:
    """Machines with one link each to a switch; nothing of it is seen outside."""

    def __init__(self, machines):
        self.mark = f"slipring{os.getpid()}"
        self.switch = f"{self.mark}-switch"
        self.addresses = {}
        self.made = []
        try:
            self.make(self.switch)
            call("ip", "-n", self.switch, "link", "add", "name", "bridge", "type", "bridge")
            call("ip", "-n", self.switch, "link", "set", "bridge", "up")
            for number, machine in enumerate(machines):
                self.join(machine, number)
        except Exception:
            self.close()
            raise

    def make(self, name):
        call("ip", "netns", "add", name)
        self.made.append(name)
        call("ip", "-n", name, "link", "set", "lo", "up")

    def join(self, machine, number):
        name, port = f"{self.mark}-{machine}", f"port{number}"
        self.make(name)
        call("ip", "-n", self.switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        call("ip", "-n", self.switch, "link", "set", port, "master", "bridge", "up")
        self.addresses[machine] = f"10.77.0.{number + 1}"
        call("ip", "-n", name, "address", "add", f"{self.addresses[machine]}/24", "dev", "eth0")
        call("ip", "-n", name, "link", "set", "eth0", "up")

    def command(self, machine, command):
        return ["nsenter", f"--net=/run/netns/{self.mark}-{machine}"] + command

    def host(self, machine):
        return self.addresses[machine]

    def server(self, machine, server, port):
        return f"{self.addresses[server]}:{port}"

    def cut(self, machine, is_cut):
        number = list(self.addresses).index(machine)
        call("ip", "-n", self.switch, "link", "set", f"port{number}", "down" if is_cut else "up")

    def slow(self, machine, rate):
        """Lets no more than so many bits a second out of a machine; None ends that."""
        device = ["dev", "eth0", "root"]
        shape = ["tbf", "rate", rate, "burst", "64kb", "latency", "1s"] if rate else []
        call("tc", "-n", f"{self.mark}-{machine}", "qdisc", "add" if rate else "del", *device, *shape, check=False)

    def shape(self, machine, rate):
        """Lets no more than so many bits a second out of a machine, and as many in."""
        number = list(self.addresses).index(machine)
        for space, device in ((f"{self.mark}-{machine}", "eth0"), (self.switch, f"port{number}")):
            call("tc", "-n", space, "qdisc", "add", "dev", device, "root", "tbf", "rate", rate, "burst", "64kb",
                 "latency", "50ms")  # fmt: skip

    def close(self):
        for name in reversed(self.made):
            call("ip", "netns", "del", name, check=False)
        self.made = []


class Relay(threading.Thread):
    """Hands bytes on between its port and another one, unless the link is cut: then it hands on nothing."""

    def __init__(self, port, link):
        super().__init__(daemon=True)
        self.target, self.link = port, link
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                client.close()
                continue
            threading.Thread(target=self.hand_on, args=(client, server), daemon=True).start()

    def hand_on(self, client, server):
        try:
            while True:
                self.link.wait()
                for end in select.select([client, server], [], [], 0.05)[0]:
                    data = end.recv(1 << 18)
                    if not data:
                        return
                    self.link.wait()
                    (server if end is client else client).sendall(data)
        except OSError:
            pass
        finally:
            client.close()
            server.close()


class Loopback:
    """The same on this machine's own ports."""

    def __init__(self, machines):
        self.links = {machine: threading.Event() for machine in machines}
        for link in self.links.values():
            link.set()
        self.relays = {}

    def command(self, machine, command):
        return command

    def host(self, machine):
        return "127.0.0.1"

    def server(self, machine, server, port):
        if (machine, port) not in self.relays:
            self.relays[machine, port] = Relay(port, self.links[machine])
        return f"127.0.0.1:{self.relays[machine, port].port}"

    def slow(self, machine, rate):
        pass

    def cut(self, machine, is_cut):
        (self.links[machine].clear if is_cut else self.links[machine].set)()

    def close(self):
        for relay in self.relays.values():
            relay.listener.close()


class Server:
    """A server of the fabric, which dies and comes back."""

    def __init__(self, program, number, folder):
        self.program, self.name = program, f"server{number}"
        self.folder = f"{folder}/{self.name}"
        self.ports = [free_port(), free_port()]
        self.process = None

    def begin(self, network, servers):
        """Starts it, beside others that it knows of."""
        os.makedirs(self.folder, exist_ok=True)
        host = network.host(self.name)
        lines = [
            f'server_name: "{self.name}"', f'listen: "{host}:{self.ports[0]}"',
            f'jetstream {{ store_dir: "{self.folder}/store", sync_interval: "1s" }}',
            'ping_interval: "1s", ping_max: 3, write_deadline: "10s", max_payload: 1048576',
        ]  # fmt: skip
        if len(servers) > 1:
            routes = ", ".join(f'"nats://{network.host(other.name)}:{other.ports[1]}"' for other in servers)
            lines.append(f'cluster {{ name: "slipring", no_advertise: true, listen: "{host}:{self.ports[1]}"')
            lines.append(f"  routes: [{routes}] }}")
        with open(f"{self.folder}/server.conf", "w") as file:
            file.write("\n".join(lines) + "\n")
        with open(f"{self.folder}/log", "a") as log:
            command = [self.program, "-c", f"{self.folder}/server.conf"]
            self.process = subprocess.Popen(network.command(self.name, command), stdout=log, stderr=log)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


PUBLISH = """
import socket, sys
host, port, subject, text = sys.argv[1:]
with socket.create_connection((host, int(port)), timeout=2) as server:
    server.settimeout(2)
    server.sendall(b'CONNECT {"verbose":false}\\r\\n')
    server.sendall(f"PUB {subject} {len(text.encode())}\\r\\n{text}\\r\\nPING\\r\\n".encode())
    answer = b""
    while b"PONG" not in answer:
        data = server.recv(4096)
        if not data:
            sys.exit(1)
        answer += data
"""


def publish(network, machine, server, subject, text):
    """Has a machine publish a message, as anybody can who reaches a server; whether the server took it."""
    host = network.host(server.name)
    command = [sys.executable, "-c", PUBLISH, host, str(server.ports[0]), subject, text]
    return call(*network.command(machine, command), check=False)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def may_make_namespaces():
    if os.geteuid() != 0:
        return False
    name = f"slipring{os.getpid()}-try"
    made = call("ip", "netns", "add", name, check=False)
    if made:
        call("ip", "netns", "del", name, check=False)
    return made
