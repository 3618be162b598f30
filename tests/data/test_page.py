import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def test_the_example_prints_what_the_page_says() -> None:
    block = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block
    done = subprocess.run(
        [sys.executable, "-c", block[1]], capture_output=True, text=True, check=True
    )
    classes, shape, first = done.stdout.splitlines()
    assert classes == str(tuple("0123456789"))
    assert f"# {shape}: N x H x W x C, uint8" in block[1]
    assert first.startswith("[")
