"""What came out of a shoot-out: scores with intervals over pictures and seeds, what they cost, and what may be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from workbench.errors import UserError
from workbench.files import whole, write_whole
from workbench.inference.evaluation_folder import load_evaluation
from workbench.inference.intervals import CONFIDENCE, DRAWS, Interval
from workbench.inference.scores import counted_of, picture_scores
from workbench.models import load_model
from workbench.models.facts import count_parameters
from workbench.page import COLOURS, document, image, table
from workbench.runs.evaluated import evaluation_folder
from workbench.runs.files import read_json, write_json
from workbench.runs.run import Run
from workbench.runs.shootout import Shootout, is_done

PAGE, PICTURE, RESULTS = "shootout.html", "shootout.png", "shootout.json"


class Standing(NamedTuple):
    """A preset: how good it is, and what it costs; costs are means over its runs."""

    preset: str
    model: str
    runs: list[str]
    epochs: int
    dice: Interval
    """The mean over pictures at training size, over all seeds; its interval draws pictures and seeds again."""
    by_seed: list[float]
    parameters: int
    minutes: float
    """Of training steps."""
    memory: float | None
    """Bytes at most, of the device or on a CPU of the process; None if the run was too short to be looked at."""


class Standings(NamedTuple):
    """All presets, the best first, and what may be concluded."""

    split: str
    pictures: int
    standings: list[Standing]
    conclusion: str
    notes: list[str]


def split_of(runs: Sequence[Run]) -> str:
    """test, or valid where there are no pictures to test with."""
    return "test" if all(run.environment()[-1]["data"]["splits"]["test"] for run in runs) else "valid"


def standings_of(shootout: Shootout) -> Standings:
    """Of the runs that have finished, whose evaluations are there."""
    finished = [(preset, run) for preset, run in shootout.all_runs() if is_done(run)]
    missing = [run.name for _, run in shootout.all_runs() if not is_done(run)]
    by_preset = {name: [run for preset, run in finished if preset == name] for name in shootout.presets}
    by_preset = {name: runs for name, runs in by_preset.items() if runs}
    if not by_preset:
        raise UserError(f"No run of {shootout.folder} has finished yet.")
    split = split_of([run for _, run in finished])
    names = load_evaluation(evaluation_folder(finished[0][1], split)).names
    dice = {preset: np.stack([_dice(run, split, names) for run in runs]) for preset, runs in by_preset.items()}
    draws = _draws(dice)
    standings = [_standing(preset, runs, dice[preset], draws[preset]) for preset, runs in by_preset.items()]
    standings.sort(key=lambda standing: -standing.dice.value)
    notes = [f"Not finished, and left out: {', '.join(missing)}."] if missing else []
    if split == "valid":
        notes.append(
            "There are no test pictures, so the scores are of the validation pictures, by which the best epochs were "
            "chosen: they are too good, for all models alike."
        )
    return Standings(split, len(names), standings, _conclusion(standings, draws, len(names)), notes)


def _dice(run: Run, split: str, names: Sequence[str]) -> np.ndarray:
    """A value a picture, in the order of `names`; at training size, which every evaluation has."""
    evaluation = load_evaluation(evaluation_folder(run, split))
    if set(evaluation.names) != set(names):
        raise UserError(f"{run.name} was evaluated on other pictures than the rest: evaluate it again on {split}.")
    values = picture_scores(counted_of(evaluation).at_training_size, evaluation.task)["dice"]
    return values[[evaluation.names.index(name) for name in names]]


def _draws(dice: Mapping[str, np.ndarray], draws: int = DRAWS, seed: int = 0) -> dict[str, np.ndarray]:
    """The mean Dice of each preset in draws of pictures, the same for all, and of each preset's own seeds."""
    rng = np.random.default_rng(seed)
    pictures = next(iter(dice.values())).shape[1]
    drawn = rng.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws)
    found = {}
    for preset, values in dice.items():
        runs = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=draws)
        known = np.isfinite(values)
        total = np.einsum("dr,rp,dp->d", runs, np.where(known, values, 0.0), drawn)
        with np.errstate(invalid="ignore"):  # a draw of pictures that say nothing
            found[preset] = total / np.einsum("dr,rp,dp->d", runs, known, drawn)
    return found


def _interval(value: float, draws: np.ndarray) -> Interval:
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(draws, [tail, 100 - tail])
    return Interval(value, float(low), float(high))


def _standing(preset: str, runs: Sequence[Run], dice: np.ndarray, draws: np.ndarray) -> Standing:
    memory = [most for run in runs if (most := _most_memory(run)) is not None]
    return Standing(
        preset,
        runs[0].config.model.name,
        [run.name for run in runs],
        runs[0].config.training.epochs,
        _interval(float(np.nanmean(dice)), draws),
        [float(np.nanmean(values)) for values in dice],
        count_parameters(load_model(runs[0].best_model)),
        float(np.mean([_minutes(run) for run in runs])),
        max(memory) if memory else None,
    )


def _minutes(run: Run) -> float:
    return sum(record["took"]["seconds"] for record in run.records() if "took" in record) / 60


def _most_memory(run: Run) -> float | None:
    """Of the accelerators that it used, or on a CPU of its process."""
    seen = [
        sum(device.get("process_memory") or 0 for device in record["devices"] if device["device"] != "cpu")
        or record["process_memory"]
        for record in run.system().records
    ]
    return max((memory for memory in seen if memory), default=None)


def _conclusion(standings: Sequence[Standing], draws: Mapping[str, np.ndarray], pictures: int) -> str:
    """One sentence: what the best one is better than, beyond chance."""
    best, *others = standings
    if not others:
        return f"Only {best.preset} has finished, so nothing can be compared."
    leads = {other.preset: _interval(0.0, draws[best.preset] - draws[other.preset]).low > 0 for other in others}
    clear = [preset for preset, beyond_chance in leads.items() if beyond_chance]
    open_ = [preset for preset in leads if preset not in clear]
    runs = min(len(standing.runs) for standing in standings)
    ground = f"with {runs} seed{'s' if runs > 1 else ''} each and {pictures} pictures"
    parts = []
    if clear:
        parts.append(f"{best.preset} is better than {', '.join(clear)} by more than chance explains")
    if open_:
        told = f"that {best.preset} is ahead of {', '.join(open_)} may be chance"
        parts.append(told[0].upper() + told[1:] if not parts else told)
    more = " Fewer than three seeds hardly tell how much another one would change." if runs < 3 else ""
    return f"{'; '.join(parts)} ({ground}, on this data and with this budget).{more}"


# --- telling ---


def save_standings(found: Standings, shootout: Shootout) -> None:
    """A page, a picture and a JSON file, into the folder of the shoot-out."""
    _draw(found, shootout.folder / PICTURE)
    picture = cv2.imread(str(shootout.folder / PICTURE))
    assert picture is not None
    parts = [
        f"<h1>{escape(' · '.join(shootout.presets))}</h1><p><strong>{escape(found.conclusion)}</strong></p>",
        *(f"<p>{escape(note)}</p>" for note in found.notes),
        f"<p>Dice is the mean over the {found.pictures} pictures of {found.split} at training size, over all seeds; "
        "its interval holds the middle 95 % of draws of pictures and seeds. Data, split, budget "
        f"({escape(shootout.budget)} a run) and seeds ({shootout.seeds}) are the same for all; picture size, loss, "
        "optimizer and schedule are each preset's own, the schedule as long as the run.</p>",
        table(TITLES, [row_of(standing) for standing in found.standings]),
        image(picture[..., ::-1], "Dice against parameters, time and memory"),
    ]
    write_whole(shootout.folder / PAGE, document("Shoot-out", "".join(parts), STYLE))
    write_json(shootout.folder / RESULTS, _plain(found, shootout))


def read_standings(folder: Path) -> Standings | None:
    """What `save_standings` wrote; None where nothing has come out yet."""
    plain = read_json(folder / RESULTS)
    if plain is None:
        return None
    standings = [Standing(**{**row, "dice": Interval(**row["dice"])}) for row in plain["standings"]]
    return Standings(plain["split"], plain["pictures"], standings, plain["conclusion"], plain["notes"])


STYLE = "body { max-width: 72rem; } img { height: auto; } td { white-space: nowrap; }"

TITLES = ("Preset", "Model", "Dice", "By seed", "Epochs", "Parameters (M)", "Training (min)", "Memory (GiB)")


def row_of(standing: Standing) -> tuple[str | float | None, ...]:
    """A row of the table."""
    return (
        standing.preset,
        standing.model,
        str(standing.dice),
        " ".join(f"{value:.4f}" for value in standing.by_seed),
        standing.epochs,
        standing.parameters / 1e6,
        standing.minutes,
        None if standing.memory is None else standing.memory / 2**30,
    )


def _plain(found: Standings, shootout: Shootout) -> dict[str, Any]:
    rows = [standing._asdict() | {"dice": standing.dice._asdict()} for standing in found.standings]
    return {**found._asdict(), "standings": rows, "budget": shootout.budget, "seeds": shootout.seeds}


def _draw(found: Standings, path: Path) -> None:
    from matplotlib.figure import Figure

    costs = {"parameters (M)": 1e-6, "training (min)": 1.0, "memory (GiB)": 2.0**-30}
    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, len(costs), sharey=True)
    for panel, (title, scale), name in zip(panels, costs.items(), ("parameters", "minutes", "memory"), strict=True):
        for number, standing in enumerate(found.standings):
            cost, (value, low, high) = getattr(standing, name), standing.dice
            if cost is not None:
                reach = [[max(0.0, value - low)], [max(0.0, high - value)]]
                colour = COLOURS[number % len(COLOURS)]
                panel.errorbar(cost * scale, value, reach, fmt="o", capsize=4, color=colour, label=standing.preset)
        panel.set_xlabel(title)
        panel.set_xlim(0, 1.12 * panel.dataLim.x1 if panel.has_data() else 1)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(f"Dice on {found.split}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    with whole(path) as part:
        figure.savefig(part, dpi=130, format="png")
