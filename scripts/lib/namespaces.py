"""Network namespaces with cables that can be pulled; they need root."""

import os
import subprocess


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def can_be_made():
    """Whether this process may make namespaces: one is made and removed again."""
    name = f"sbx{os.getpid() % 10_000}probe"
    for word in ["add", "del"]:
        try:
            done = subprocess.run(["ip", "netns", word, name], capture_output=True, check=False)
        except FileNotFoundError:
            return False
        if done.returncode != 0:
            return False
    return True


class Network:
    """What the namespaces of one script have in common: a name, addresses, and a bridge that outlives no block."""

    def __init__(self, stack):
        self.stack, self.tag = stack, f"sbx{os.getpid() % 10_000}"
        # 10.NET.…; below 64 is other people's more often.
        self.net = 64 + os.getpid() % 128
        self.bridge = f"{self.tag}b"
        ip("link", "add", self.bridge, "type", "bridge")
        stack.callback(ip, "link", "del", self.bridge)

    def namespace(self, one):
        """A namespace without cables; its name."""
        name = f"{self.tag}n{one}"
        ip("netns", "add", name)
        self.stack.callback(ip, "netns", "del", name)
        ip("-n", name, "link", "set", "lo", "up")
        return name

    @staticmethod
    def cable(name, outer, inner, address):
        """A cable between here and a namespace, where its end has this address."""
        ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
        ip("-n", name, "addr", "add", f"{address}/24", "dev", inner)
        ip("-n", name, "link", "set", inner, "up")


class Rooms(Network):
    """A namespace for each instance, with a cable for NATS that can be pulled and one for who looks at it."""

    def __init__(self, stack):
        super().__init__(stack)
        # What the server binds to has to be there before any cable is.
        self.host = f"10.{self.net}.255.1"
        ip("addr", "add", f"{self.host}/32", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")

    def add(self, one):
        name = self.namespace(one)
        for cable, subnet in [("c", 2 * one), ("l", 2 * one + 1)]:
            outer = f"{self.tag}{cable}{one}"
            self.cable(name, outer, f"{cable}0", f"10.{self.net}.{subnet}.2")
            ip("addr", "add", f"10.{self.net}.{subnet}.1/24", "dev", outer)
            ip("link", "set", outer, "up")
        ip("-n", name, "route", "add", self.host, "via", f"10.{self.net}.{2 * one}.1")
        return Room(self, one, name)


class Room:
    """One of them."""

    def __init__(self, network, one, name):
        self.network, self.one, self.name = network, one, name
        self.address = f"10.{network.net}.{2 * one + 1}.2"
        self.command = ["ip", "netns", "exec", name]

    def url(self, port):
        return f"nats://{self.network.host}:{port}"

    def part(self):
        ip("-n", self.name, "link", "set", "c0", "down")

    def join(self):
        ip("-n", self.name, "link", "set", "c0", "up")
        ip("-n", self.name, "route", "replace", self.network.host, "via", f"10.{self.network.net}.{2 * self.one}.1")


class Switch(Network):
    """A network of namespaces, each with one cable."""

    def __init__(self, stack, count):
        super().__init__(stack)
        self.host = f"10.{self.net}.0.1"
        ip("addr", "add", f"{self.host}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        self.names = [self.namespace(one) for one in range(count)]
        self.addresses = [f"10.{self.net}.0.{10 + one}" for one in range(count)]
        for one, (name, address) in enumerate(zip(self.names, self.addresses)):
            outer = f"{self.tag}c{one}"
            self.cable(name, outer, "c0", address)
            ip("link", "set", outer, "master", self.bridge, "up")

    def part(self, one):
        ip("-n", self.names[one], "link", "set", "c0", "down")

    def join(self, one):
        ip("-n", self.names[one], "link", "set", "c0", "up")
