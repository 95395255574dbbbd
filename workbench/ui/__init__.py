"""The pages, one file a tab, and the only place that imports gradio.

Gradio reads these settings when it is imported: no call to outside hosts, and a folder of its own for uploads, since
by default every gradio app of a user can read what the others received.
"""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
if "GRADIO_TEMP_DIR" not in os.environ:
    os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="workbench-uploads-")
    atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
