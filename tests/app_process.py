"""The app's command in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

APP = Path(__file__).parent.parent / "app.py"


class AppProcess:
    """Started with these options in a folder; further arguments are variables of the environment."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        environment = {**os.environ, "TMPDIR": str(folder), **variables}
        environment.pop("GRADIO_TEMP_DIR", None)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, str(APP), *options],
            cwd=folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def line(self) -> str:
        """What it prints next."""
        return self.process.stdout.readline()

    def address(self) -> str:
        """Where it is open, once it is."""
        return re.search(r"http://\S+", self.line())[0]

    def end(self) -> tuple[int, str, str]:
        """Ctrl-C; its status, and what else it printed."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def kill(self) -> None:
        """Whatever it does."""
        self.process.kill()
        self.process.communicate()
