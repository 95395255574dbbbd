"""The one exception for mistakes that the user can mend."""


class UserError(ValueError):
    """A sentence that says what is wrong, where, and how to mend it; every face shows it without a traceback."""


def choices(what: str, given: object, valid) -> UserError:
    """The error for a name that is not in a table, with the names that are."""
    return UserError(f"Unknown {what} {given!r}. Choose one of: {', '.join(sorted(map(str, valid)))}.")
