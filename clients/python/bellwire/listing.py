"""Lists that turn their pages by themselves."""

from typing import Any, Callable, Dict, Generic, Iterator, List, Optional, TypeVar

Item = TypeVar("Item")


class Listing(Generic[Item]):
    """A list: iterate it for all its items, page after page, or ask for one page alone. Each iteration asks anew."""

    def __init__(self, ask: Callable[[Optional[str]], Dict[str, Any]], cursor: Optional[str]) -> None:
        self._ask = ask
        self._cursor = cursor

    def page(self) -> Dict[str, Any]:
        """One page: the first, or the one its ``cursor`` names. ``next`` is the ``cursor`` of the following one."""
        return self._ask(self._cursor)

    def all(self) -> List[Item]:
        """All items at once."""
        return list(self)

    def __iter__(self) -> Iterator[Item]:
        cursor = self._cursor
        while True:
            page = self._ask(cursor)
            yield from page["items"]
            cursor = page["next"]
            # Oldest first, the log of events has a cursor even at its end: to ask again with, later.
            if cursor is None or not page.get("more", True):
                return
