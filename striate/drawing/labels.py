"""Large numbers in the few letters that a picture has room for."""

from __future__ import annotations


def big(count: int) -> str:
    """A large count in four digits: `25.56 M`, `4.089 G`."""
    for limit, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.4g} {unit}"
    return str(count)
