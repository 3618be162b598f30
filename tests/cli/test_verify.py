"""`striate verify` from the command line."""

from __future__ import annotations

import json


def test_verify_as_a_table_and_as_json(run) -> None:
    status, out, _ = run("verify", "lenet5")
    assert status == 0 and out.endswith("layers checked on 1×32×32: all agree\n")
    status, out, _ = run("verify", "lenet5", "--layer", "conv2", "--json")
    assert status == 0 and json.loads(out)["agrees"] is True


def test_a_mistake(run) -> None:
    status, out, err = run("verify", "lenet5", "--layer", "conv9")
    assert (status, out) == (2, "")
    assert "lenet5 has no layer 'conv9' whose field can be checked" in err
