"""The README's tree, brought up to date by `make tree`.

Phrases that stand there are kept; a new file's comes from its docstring; a line whose file is gone goes too.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"(?<=^```text\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)


def told(readme: str) -> dict[str, str]:
    """Path to phrase, as the README has them; folders end with a slash."""
    paths: dict[str, str] = {}
    folders: list[str] = []
    for line in BLOCK.search(readme)[0].splitlines():
        indent, name, phrase = re.fullmatch(r"((?:  )*)(\S+)(?:  +(.+))?", line).groups()
        folders[len(indent) // 2 :] = [name]
        paths["".join(folders)] = phrase or ""
    return paths


def expected() -> list[str]:
    """Every file at the top, and every module of the package with its folders, which stand for their __init__."""
    files = {path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")}
    modules = set((ROOT / "workbench").rglob("*.py"))
    folders = {folder for path in modules for folder in path.relative_to(ROOT).parents if folder.name}
    files |= {path for path in modules if path.name != "__init__.py"}
    return sorted([path.relative_to(ROOT).as_posix() for path in files] + [f"{path.as_posix()}/" for path in folders])


def up_to_date(readme: str) -> str:
    """The README with its tree as it should be."""
    paths = {path: phrase for path, phrase in told(readme).items() if (ROOT / path).exists()}
    paths |= {path: phrase_of(path) for path in expected() if not paths.get(path)}
    lines = [f"{'  ' * (depth(path) - 1) + name(path):<26}  {paths[path]}\n" for path in in_order(paths)]
    return BLOCK.sub(lambda _: "".join(lines), readme)


def in_order(paths: dict[str, str]) -> list[str]:
    """Parents before their children, and otherwise as the paths came."""
    place = {path: number for number, path in enumerate(paths)}
    return sorted(paths, key=lambda path: [place[parent] for parent in ancestors(path)])


def ancestors(path: str) -> list[str]:
    """The folders that a path lies in, and the path itself."""
    return [path[: slash.end()] for slash in re.finditer(r"/(?!$)", path)] + [path]


def depth(path: str) -> int:
    return len(ancestors(path))


def name(path: str) -> str:
    return Path(path).name + "/" * path.endswith("/")


def phrase_of(path: str) -> str:
    """The start of its docstring, up to the first colon, semicolon or full stop."""
    file = ROOT / path / "__init__.py" if path.endswith("/") else ROOT / path
    code = file.read_text(encoding="utf-8") if file.suffix == ".py" and file.exists() else ""
    docstring = (ast.get_docstring(ast.parse(code)) or "what it is, in a phrase").replace("\n", " ")
    phrase = re.split(r"[:;.](?: |$)", docstring)[0]
    return phrase if phrase[1:2].isupper() else phrase[:1].lower() + phrase[1:]


if __name__ == "__main__":
    README.write_text(up_to_date(README.read_text(encoding="utf-8")), encoding="utf-8")
