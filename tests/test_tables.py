"""Tables as text."""

from workbench.devices import Device, Reading
from workbench.models import ModelFacts
from workbench.tables import GIB, Table, device_table, model_table


def test_words_stand_left_and_numbers_right():
    table = Table(("Name", "Size"), [("a", 1234.5), ("longer", None), ("b", 7)])
    assert str(table).splitlines() == [
        "Name        Size",
        "a       1,234.50",
        "longer         –",
        "b              7",
    ]


def test_a_table_may_be_empty():
    assert str(Table(("Name", "Size"), [])) == "Name  Size"


def test_a_model_s_row_is_in_the_units_of_the_titles():
    table = model_table([ModelFacts("small", 1_500_000, 2_000_000_000, 4, "here", "a net")], size=128)
    assert table.titles[1:3] == ("Parameters (M)", "Multiply-adds at 128 x 128 (G)")
    assert table.rows == [("small", 1.5, 2.0, 4, "a net", "here")]


def test_a_device_s_row_is_in_the_units_of_the_titles():
    gpu = Reading(Device("cuda", 1, "Card"), 0.256, 30 * GIB, 40 * GIB, 61.4, 99.6, 2 * GIB)
    silent = Reading(Device("cpu", 0, "Chip", cores=8))
    table = device_table([gpu, silent])
    assert table.rows == [
        ("cuda:1", "Card", 26, 40.0, 30.0, 2.0, 61, 100),
        ("cpu", "Chip, 8 cores", None, None, None, None, None, None),
    ]
    assert "Memory (GiB)" in table.titles
