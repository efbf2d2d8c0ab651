"""Where tables are printed whose cells hold what others wrote."""

from rich.console import Console


def wide_console(width: int) -> Console:
    """A console that reads no markup, and cuts no table when it goes to a pipe or a file.

    Args:
        width: Columns where there is no terminal to tell.
    """
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = width
    return console
