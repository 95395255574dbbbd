"""Attention U-Net Workbench: bring pictures and masks, train, look, prove, take away.

Importing this package is light: torch, gradio and plotly come in when a module that needs them does.
"""

__version__ = "0.1.0"
