"""Commands about this machine."""

from __future__ import annotations


def list_devices() -> None:
    """List the CPU and the accelerators, and what they do now."""
    from workbench.devices import read_devices
    from workbench.tables import device_table

    print(device_table(read_devices()))
