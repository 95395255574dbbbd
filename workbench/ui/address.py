"""The page's address: what is chosen stays there, so that a reload, a bookmark and the other tabs find it.

All of it is JavaScript for the `js` of an event; the tabs read the address when they are opened.
"""

from __future__ import annotations

KEEP = """
(value) => {
  const address = new URL(location);
  value ? address.searchParams.set("%(name)s", value) : address.searchParams.delete("%(name)s");
  history.replaceState(null, "", address);
}
"""
OPEN = """(value) => { value && location.assign(`?${new URLSearchParams({ tab: "%s", "%s": value })}`); }"""

FOLLOW = """(value) => new URL(location).searchParams.get("%s") ?? value"""


def keep(name: str) -> str:
    """A function that keeps its value under a name."""
    return KEEP % {"name": name}


def follow(name: str) -> str:
    """A function that gives what was chosen last, in whichever tab, or else its value."""
    return FOLLOW % name


def open_tab(tab: str, name: str) -> str:
    """A function that opens a tab with its value under a name, so that the tabs need not know each other."""
    return OPEN % (tab, name)
