"""The functions behind the command line, one file a subject; `workbench.cli` names them."""
