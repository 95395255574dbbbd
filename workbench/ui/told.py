"""What a user did wrong is told in a sentence on the page, by events and by live views alike."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from workbench.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")


def told(function: Callable[P, T]) -> Callable[P, T]:
    """The same handler of an event; a UserError becomes a message on the page, without a traceback in the log."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*given: P.args, **named: P.kwargs) -> Any:
            try:
                yield from function(*given, **named)
            except UserError as error:
                raise gr.Error(str(error), duration=None, print_exception=False) from error

        return steps

    @functools.wraps(function)
    def once(*given: P.args, **named: P.kwargs) -> T:
        try:
            return function(*given, **named)
        except UserError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error

    return once


def answering(function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """The same function for a live view to ask; a UserError becomes an answer that the view shows."""

    @functools.wraps(function)
    def answer(question: dict[str, Any]) -> Any:
        try:
            return function(question)
        except UserError as error:
            return {"refused": str(error)}

    return answer
