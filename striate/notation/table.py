"""The layer words as a table, from the layers' own declarations.

`python -m striate.notation.table` prints the one in `docs/notation.md`.
"""

from __future__ import annotations

from striate.layers import KINDS, Layer, Setting


def table() -> str:
    """The table in Markdown, one row for each kind."""
    rows = ["| word | layer | also | settings |", "|---|---|---|---|"]
    for kind in KINDS:
        also = ", ".join(f"`{word}`" for word in kind.words[1:])
        rows.append(f"| `{kind.example}` | {kind.summary} | {also} | {_settings(kind)} |")
    return "\n".join(rows)


def _settings(kind: type[Layer]) -> str:
    parts = []
    for setting in kind.settings:
        forms = _forms(kind, setting)
        parts.append(f"{setting.name}{' (' + ', '.join(forms) + ')' if forms else ''}")
    return ", ".join(parts)


def _forms(kind: type[Layer], setting: Setting) -> list[str]:
    word = kind.words[0]
    glued = {kind.number: f"`{word}N`", kind.dash: "`-N`", kind.slash: "`/N`"}
    forms = [glued[setting.name]] if setting.name in glued else []
    forms += [f"`{setting.letter}N`"] if setting.letter else []
    return forms + [f"`{flag}`" for flag, (name, _) in kind.flags.items() if name == setting.name]


if __name__ == "__main__":
    print(table())
