"""Devices: a fake driver stands in for the cards that this machine may not have."""

import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from workbench import devices
from workbench.devices import Device, list_devices, read_devices

GIB = 2**30


class FakeDriver:
    """NVML over a list of cards; a question that a card has no answer for is refused, as the driver does."""

    def __init__(self, cards):
        self.cards = cards

    def install(self, monkeypatch):
        answers = {
            "nvmlInit": lambda: None,
            "nvmlDeviceGetCount": lambda: len(self.cards),
            "nvmlDeviceGetHandleByIndex": self.cards.__getitem__,
            "nvmlDeviceGetMigMode": lambda card: [1, 1] if self.answer(card, "slices") else [0, 0],
            "nvmlDeviceGetMaxMigDeviceCount": lambda card: 7,
            "nvmlDeviceGetMigDeviceHandleByIndex": self.slice,
            "nvmlDeviceGetName": lambda handle: self.answer(handle, "name"),
            "nvmlDeviceGetUUID": lambda handle: self.answer(handle, "uuid"),
            "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=self.answer(handle, "busy")),
            "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(**self.answer(handle, "memory")),
            "nvmlDeviceGetPowerUsage": lambda handle: self.answer(handle, "milliwatts"),
            "nvmlDeviceGetTemperature": lambda handle, sensor: self.answer(handle, "temperature"),
            "nvmlDeviceGetComputeRunningProcesses": lambda handle: self.answer(handle, "processes"),
        }
        for name, answer in answers.items():
            monkeypatch.setattr(pynvml, name, answer)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        devices._nvml_starts.cache_clear()
        return self

    def answer(self, handle, key):
        if key == "slices":
            return handle.get(key)
        if key not in handle:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return handle[key]

    def slice(self, card, place):
        if place not in card["slices"]:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return card["slices"][place]


@pytest.fixture(autouse=True)
def _ask_the_driver_anew():
    yield
    devices._nvml_starts.cache_clear()


def card(letter="a", **facts):
    defaults = {
        "name": "NVIDIA H200",
        "uuid": f"GPU-{letter * 8}",
        "busy": 85,
        "memory": {"used": 30 * GIB, "total": 140 * GIB},
        "milliwatts": 512_500,
        "temperature": 61,
        "processes": [],
    }
    return defaults | facts


def without(facts, *keys):
    return {key: value for key, value in facts.items() if key not in keys}


def test_the_cpu_is_always_there_and_tells_its_memory():
    device = list_devices()[-1]
    assert (device.kind, str(device)) == ("cpu", "cpu")
    assert device.name
    assert device.cores == psutil.cpu_count()
    reading = read_devices()[-1]
    assert reading.device == device
    assert 0 <= reading.utilisation <= 1
    assert reading.memory_total == psutil.virtual_memory().total
    assert 0 < reading.memory_used < reading.memory_total
    # What a process maps of files is resident in it and yet available to others: it may be over what is used.
    assert 0 < reading.process_memory < reading.memory_total


def test_the_cpu_s_load_is_seen(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_percent", lambda seconds: 37.0 if seconds == devices.CPU_SAMPLE_SECONDS else 0.0)
    assert read_devices()[-1].utilisation == 0.37


def test_the_hottest_core_counts(monkeypatch):
    def sensors():
        return {
            "acpitz": [SimpleNamespace(current=90.0)],
            "coretemp": [SimpleNamespace(current=51.0), SimpleNamespace(current=64.0)],
        }

    monkeypatch.setattr(psutil, "sensors_temperatures", sensors, raising=False)
    assert read_devices()[-1].temperature == 64.0


def test_memory_of_a_process_counts_its_children():
    hold_100_mb = "import sys; block = bytearray(100_000_000); print('ready', flush=True); sys.stdin.read()"
    start_a_child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold_100_mb!r}])"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", start_a_child], **pipes) as parent:
        assert parent.stdout.readline().strip() == b"ready"
        assert read_devices(parent.pid)[-1].process_memory > 100_000_000
        assert psutil.Process(parent.pid).memory_info().rss < 100_000_000
        parent.stdin.close()
    assert read_devices(parent.pid)[-1].process_memory is None, "a process that is gone holds nothing that we know of"


def test_a_gpu_is_read_through_nvml(monkeypatch):
    mine = SimpleNamespace(pid=os.getpid(), usedGpuMemory=12 * GIB)
    other = SimpleNamespace(pid=1, usedGpuMemory=9 * GIB)
    FakeDriver([card(processes=[mine, other])]).install(monkeypatch)
    reading = read_devices()[0]
    assert str(reading.device) == "cuda:0"
    assert reading.device.name == "NVIDIA H200"
    assert (reading.utilisation, reading.temperature, reading.power) == (0.85, 61, 512.5)
    assert (reading.memory_used, reading.memory_total) == (30 * GIB, 140 * GIB)
    assert reading.process_memory == 12 * GIB


def test_what_a_gpu_does_not_tell_is_none(monkeypatch):
    silent = without(card(), "busy", "memory", "milliwatts", "temperature", "processes", "name")
    FakeDriver([silent]).install(monkeypatch)
    reading = read_devices()[0]
    assert reading.device == Device("cuda", 0, "NVIDIA GPU")
    facts = ("utilisation", "memory_used", "memory_total", "temperature", "power", "process_memory")
    assert [getattr(reading, fact) for fact in facts] == [None] * 6


@pytest.mark.parametrize(
    "process",
    [
        pytest.param(SimpleNamespace(pid=os.getpid(), usedGpuMemory=None), id="the driver keeps it secret"),
        pytest.param(SimpleNamespace(pid=2**22 + 1, usedGpuMemory=GIB), id="pids of outside a container"),
    ],
)
def test_unknown_process_memory_is_not_zero(monkeypatch, process):
    FakeDriver([card(processes=[process])]).install(monkeypatch)
    assert read_devices()[0].process_memory is None


def test_slices_of_a_gpu_are_devices_with_the_card_s_temperature_and_power(monkeypatch):
    small = {"name": "NVIDIA H200 MIG 1g.18gb", "uuid": "MIG-small", "memory": {"used": GIB, "total": 18 * GIB}}
    large = {"name": "NVIDIA H200 MIG 3g.71gb", "uuid": "MIG-large", "memory": {"used": 0, "total": 71 * GIB}}
    FakeDriver([card(slices={0: small, 4: large}), card("b")]).install(monkeypatch)
    first, second, whole, _ = read_devices()
    assert [reading.device.name for reading in (first, second)] == [small["name"], large["name"]]
    assert (first.memory_total, second.memory_total) == (18 * GIB, 71 * GIB)
    assert first.utilisation is None
    assert (first.temperature, first.power) == (61, 512.5)
    assert str(whole.device) == "cuda:2"


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["A", "B small", "B large", "C"]),
        ("", []),
        ("2,0", ["C", "A"]),
        ("GPU-cc", ["C"]),
        ("1", ["B small"]),
        ("MIG-large,0", ["B large", "A"]),
        ("0,7,2", ["A"]),
        ("GPU-", []),
        ("-1,0", []),
    ],
)
def test_cuda_visible_devices_chooses_and_orders(monkeypatch, visible, expected):
    slices = {0: {"name": "B small", "uuid": "MIG-small"}, 1: {"name": "B large", "uuid": "MIG-large"}}
    cards = [card("a", name="A"), card("b", slices=slices), card("c", name="C")]
    FakeDriver(cards).install(monkeypatch)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus = list_devices()[:-1]
    assert [gpu.name for gpu in gpus] == expected
    assert [gpu.index for gpu in gpus] == list(range(len(expected)))


@pytest.mark.parametrize("reason", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED])
def test_no_driver_is_no_error(monkeypatch, reason):
    def refuse():
        raise pynvml.NVMLError(reason)

    FakeDriver([card()]).install(monkeypatch)
    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert "cuda" not in [device.kind for device in list_devices()]


def test_a_gpu_that_falls_off_the_bus_is_left_out(monkeypatch):
    def handle(number):
        if number == 0:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return card("b", name="B")

    FakeDriver([card(), card("b")]).install(monkeypatch)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", handle)
    assert [device.name for device in list_devices()[:-1]] == ["B"]


def fake_torch(kind, count=1, **module):
    """A torch whose accelerator is of this kind (None: it has none)."""
    accelerator = SimpleNamespace(
        current_accelerator=lambda check_available: kind and SimpleNamespace(type=kind),
        device_count=lambda: count,
    )
    return SimpleNamespace(accelerator=accelerator, get_device_module=lambda device: SimpleNamespace(**module))


def test_accelerators_that_only_torch_knows(monkeypatch):
    FakeDriver([]).install(monkeypatch)
    facts = {"get_device_name": "Max 1550 #{}".format, "mem_get_info": lambda index: (48 * GIB, 64 * GIB)}
    monkeypatch.setitem(sys.modules, "torch", fake_torch("xpu", count=2, **facts))
    assert [(str(device), device.name) for device in list_devices()[:-1]] == [
        ("xpu:0", "Max 1550 #0"),
        ("xpu:1", "Max 1550 #1"),
    ]
    reading = read_devices()[0]
    assert (reading.memory_used, reading.memory_total) == (16 * GIB, 64 * GIB)


def test_an_accelerator_may_tell_nothing_about_itself(monkeypatch):
    FakeDriver([]).install(monkeypatch)
    monkeypatch.setitem(sys.modules, "torch", fake_torch("mps"))
    reading = read_devices()[0]
    assert (reading.device.name, reading.memory_total) == ("MPS", None)


def test_a_gpu_is_listed_once_when_torch_and_nvml_both_know_it(monkeypatch):
    FakeDriver([card()]).install(monkeypatch)
    monkeypatch.setitem(sys.modules, "torch", fake_torch("cuda", get_device_name=lambda index: "again"))
    assert [device.name for device in list_devices()[:-1]] == ["NVIDIA H200"]


def test_a_torch_that_is_still_being_imported_is_not_waited_for(monkeypatch):
    FakeDriver([]).install(monkeypatch)
    half = fake_torch("xpu")
    del half.get_device_module
    monkeypatch.setitem(sys.modules, "torch", half)
    assert [device.kind for device in list_devices()] == ["cpu"]


def test_the_installed_torch_answers_the_same_questions():
    import torch

    assert "torch" in sys.modules
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    assert [device.kind for device in list_devices()][-1] == "cpu"
    assert (len(list_devices()) > 1) == (accelerator is not None)


def test_looking_at_devices_does_not_import_torch():
    look = (
        "import sys; from workbench.devices import *; list_devices(); read_devices(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
