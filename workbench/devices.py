"""Which devices this machine has and what they do now; importing it never imports torch.

NVIDIA GPUs are read through NVML, the CPU through psutil. Accelerators that only torch knows (XPU, MPS, NPU, ROCm)
are added once somebody else has imported torch.
"""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pynvml

CPU_SAMPLE_SECONDS = 0.1
"""How long one reading watches the CPU to tell its load."""


@dataclass(frozen=True)
class Device:
    """One place where a model can run."""

    kind: str
    """As torch calls it: cpu, cuda, xpu, mps, npu ..."""

    index: int
    """As torch counts: among the devices of this kind that CUDA_VISIBLE_DEVICES leaves visible."""

    name: str
    cores: int | None = None
    """Logical cores of a CPU."""

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}"


@dataclass(frozen=True)
class Reading:
    """What a device does at one moment; None is what it does not tell. Memory is in bytes."""

    device: Device
    utilisation: float | None = None
    """Busy share of the last moment, 0 to 1."""

    memory_used: int | None = None
    memory_total: int | None = None
    temperature: float | None = None
    """Degrees Celsius; for a slice of a GPU (MIG) that of the whole card."""

    power: float | None = None
    """Watts; for a slice of a GPU (MIG) those of the whole card."""

    process_memory: int | None = None
    """Held by the process that was asked for and its children."""


def list_devices() -> list[Device]:
    """The accelerators, then the CPU, which is always there."""
    return [*(device for device, _ in _nvml_devices()), *_torch_accelerators(), _cpu()]


def read_devices(process: int | None = None) -> list[Reading]:
    """What each of them does now; `process` (a pid, by default this one) is the one whose memory is told apart."""
    processes = _family(os.getpid() if process is None else process)
    gpus = [_read_nvml(device, unit, processes) for device, unit in _nvml_devices()]
    return [*gpus, *map(_read_with_torch, _torch_accelerators()), _read_cpu(processes)]


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


# The CPU


def _cpu() -> Device:
    return Device("cpu", 0, _cpu_name(), psutil.cpu_count())


@functools.cache
def _cpu_name() -> str:
    if sys.platform == "linux":
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        names = (line.partition(":")[2].strip() for line in facts.splitlines() if line.startswith("model name"))
        return next(names, "") or platform.machine()
    if sys.platform == "darwin":
        question = ["sysctl", "-n", "machdep.cpu.brand_string"]
        answer = subprocess.run(question, capture_output=True, text=True, check=False).stdout
        return answer.strip() or platform.machine()
    return platform.processor() or platform.machine()


def _read_cpu(processes: list[psutil.Process]) -> Reading:
    memory = psutil.virtual_memory()
    return Reading(
        _cpu(),
        utilisation=psutil.cpu_percent(CPU_SAMPLE_SECONDS) / 100,
        memory_used=memory.total - memory.available,
        memory_total=memory.total,
        temperature=_cpu_temperature(),
        process_memory=sum(map(_resident, processes)) if processes else None,
    )


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def _cpu_temperature() -> float | None:
    """The hottest core; macOS, Windows and most virtual machines do not tell."""
    sensors: Callable[[], dict[str, Any]] = getattr(psutil, "sensors_temperatures", dict)
    chips = sensors()
    return max((sensor.current for chip in ("coretemp", "k10temp") for sensor in chips.get(chip, ())), default=None)


# NVIDIA GPUs: any figure may be missing, by driver, card or permission


class _Unit(NamedTuple):
    """A GPU, or a slice of one (MIG)."""

    names: tuple[str, ...]
    """What CUDA_VISIBLE_DEVICES may call it."""

    handle: Any
    card: Any
    """The handle of the whole GPU; for a slice it tells what the slice does not."""


@functools.cache
def _nvml_starts() -> bool:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    return True


def _ask(question: Callable[..., Any], *arguments: Any) -> Any:
    """The driver's answer, or None where it has none."""
    try:
        return question(*arguments)
    except pynvml.NVMLError:
        return None


def _nvml_devices() -> Iterator[tuple[Device, _Unit]]:
    if not _nvml_starts():
        return
    units = [unit for number in range(pynvml.nvmlDeviceGetCount()) for unit in _units(number)]
    for index, unit in enumerate(_visible(units, os.environ.get("CUDA_VISIBLE_DEVICES"))):
        yield Device("cuda", index, _ask(pynvml.nvmlDeviceGetName, unit.handle) or "NVIDIA GPU"), unit


def _units(number: int) -> list[_Unit]:
    """The GPU of this number, or its slices where it is cut; CUDA takes the number for the first slice."""
    card = _ask(pynvml.nvmlDeviceGetHandleByIndex, number)
    if card is None:
        return []
    mode = _ask(pynvml.nvmlDeviceGetMigMode, card)
    if not mode or not mode[0]:
        return [_Unit((str(number), _uuid(card)), card, card)]
    places = range(_ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, card) or 0)
    handles = (_ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, card, place) for place in places)
    slices = [_Unit((_uuid(handle),), handle, card) for handle in handles if handle is not None]
    return [unit._replace(names=(str(number), *unit.names)) for unit in slices[:1]] + slices[1:]


def _uuid(handle: Any) -> str:
    return _ask(pynvml.nvmlDeviceGetUUID, handle) or "unknown"


def _visible(units: list[_Unit], wanted: str | None) -> list[_Unit]:
    """The ones that CUDA will show, in its order: names or beginnings of UUIDs, up to the first unknown one."""
    if wanted is None:
        return units
    shown: list[_Unit] = []
    for word in wanted.split(","):
        found = [unit for unit in units if _is_called(unit, word.strip())]
        if len(found) != 1:
            break
        shown += found
    return shown


def _is_called(unit: _Unit, word: str) -> bool:
    return word in unit.names or (word.startswith(("GPU-", "MIG-")) and unit.names[-1].startswith(word))


def _read_nvml(device: Device, unit: _Unit, processes: list[psutil.Process]) -> Reading:
    busy = _ask(pynvml.nvmlDeviceGetUtilizationRates, unit.handle)
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, unit.handle)
    milliwatts = _ask(pynvml.nvmlDeviceGetPowerUsage, unit.card)
    return Reading(
        device,
        utilisation=None if busy is None else busy.gpu / 100,
        memory_used=None if memory is None else memory.used,
        memory_total=None if memory is None else memory.total,
        temperature=_ask(pynvml.nvmlDeviceGetTemperature, unit.card, pynvml.NVML_TEMPERATURE_GPU),
        power=None if milliwatts is None else milliwatts / 1000,
        process_memory=_held_by(unit.handle, processes),
    )


def _held_by(handle: Any, processes: list[psutil.Process]) -> int | None:
    running = _ask(pynvml.nvmlDeviceGetComputeRunningProcesses, handle)
    if running is None:
        return None
    pids = {process.pid for process in processes}
    held = [one.usedGpuMemory for one in running if one.pid in pids]
    counted_elsewhere = not held and not all(psutil.pid_exists(one.pid) for one in running)  # a container's own pids
    return None if counted_elsewhere or None in held else sum(held)


# Accelerators that only torch knows


def _torch() -> Any:
    """torch, once somebody has imported it to its end, where it defines what is looked for here; else None."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "get_device_module") else None


def _torch_accelerators() -> list[Device]:
    torch = _torch()
    if torch is None:
        return []
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None or (accelerator.type == "cuda" and _nvml_starts()):
        return []
    name_of = getattr(torch.get_device_module(accelerator), "get_device_name", lambda index: accelerator.type.upper())
    count = torch.accelerator.device_count()
    return [Device(accelerator.type, index, name_of(index)) for index in range(count)]


def _read_with_torch(device: Device) -> Reading:
    memory_of = getattr(_torch().get_device_module(device.kind), "mem_get_info", None)
    if memory_of is None:
        return Reading(device)
    free, total = memory_of(device.index)
    return Reading(device, memory_used=total - free, memory_total=total)
