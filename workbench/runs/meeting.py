"""How the hosts of a training find each other: host 0 listens, the others come to its address. Knows no run."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from torch.distributed import TCPStore

from workbench.errors import UserError
from workbench.runs.company import Company
from workbench.runs.launch import Hosts

ALONE_AT = "127.0.0.1"
TO_CONNECT = timedelta(seconds=20)


def open_store(hosts: Hosts) -> TCPStore:
    """The first host's; on one host any free port serves."""
    address, port = (hosts.address, hosts.port) if hosts.total > 1 else (ALONE_AT, 0)
    assert address
    try:
        return TCPStore(address, port, is_master=True, wait_for_workers=False, multi_tenant=True, timeout=TO_CONNECT)
    except RuntimeError as error:
        raise UserError(
            f"The hosts cannot meet at {address}:{port} ({' '.join(str(error).split())[:200]}): give an address "
            "of this host, which is host 0, and a free port."
        ) from None


def await_hosts(members: Company, tell: Callable[[str], None]) -> None:
    for host in range(1, members.hosts):
        members.hear(f"host-{host}", partial(tell, f"Waiting for host {host} of {members.hosts - 1}."))


def find_store(hosts: Hosts) -> TCPStore:
    """Asked for in a loop, so that Ctrl-C is heard."""
    assert hosts.address
    while True:
        try:
            socket.create_connection((hosts.address, hosts.port), timeout=2).close()
            return TCPStore(hosts.address, hosts.port, is_master=False, wait_for_workers=False, timeout=TO_CONNECT)
        except socket.gaierror as error:
            raise UserError(f"There is no host called {hosts.address} ({error.strerror}).") from None
        except OSError:
            time.sleep(1)
        except RuntimeError:
            raise UserError(
                f"What listens at {hosts.address}:{hosts.port} is no training: give the --address and --port of host 0."
            ) from None


def meet(hosts: Hosts) -> Company:
    """Take this host's place; where one before has it, that training is about to end."""
    while True:
        members = Company(find_store(hosts), host=hosts.host, hosts=hosts.total)
        if members.say_first(f"host-{hosts.host}", {"name": socket.gethostname(), "pid": os.getpid()}):
            return members
        del members
        time.sleep(1)
