"""What happens to the intake when something bad happens: `uv run python tests/bench/intake_faults.py`.

`--quick` does a tenth of the work, `--only WORD` the scenarios with the word in their name, `--write`
puts the table into RESULTS.md, where rows that were not run stay as they are.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import faults_arrival, faults_crash, faults_watch
from tests.bench.fault_scenarios import Outcome, Scenario
from tests.bench.results import last_rows, save, table

PARTS = (faults_arrival, faults_watch, faults_crash)
HEADERS = ("scenario", "expected", "found", "what was seen", "seconds", "control", "control found")


def row(scenario: Scenario) -> tuple[list[str], bool]:
    """A line of the table, and whether all came through."""
    outcome, seconds = _timed(scenario.run)
    cells = [
        scenario.name,
        str(outcome.expected),
        str(outcome.found) if outcome.ok else f"**{outcome.found}**",
        outcome.detail,
        f"{seconds:.0f}",
    ]
    if not scenario.control_name or scenario.control is None:
        return [*cells, "–", "–"], outcome.ok
    control, _seconds = _timed(scenario.control)
    words = f" ({control.detail})" if control.detail else ""
    return [*cells, scenario.control_name, f"{control.found} of {control.expected}{words}"], outcome.ok


def _timed(run: Callable[[], Outcome]) -> tuple[Outcome, float]:
    started = time.monotonic()
    try:
        outcome = run()
    except Exception as error:  # one scenario that breaks does not hide the others
        traceback.print_exc()
        outcome = Outcome(1, 0, f"{type(error).__name__}: {error}")
    return outcome, time.monotonic() - started


def main() -> int:
    """Run them and print the table; status 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    rows, good = [], True
    last = last_rows("intake_faults")
    for scenario in (found for part in PARTS for found in part.scenarios(quick=arguments.quick)):
        if arguments.only not in scenario.name:
            rows += [last[scenario.name]] if scenario.name in last else []
            continue
        cells, ok = row(scenario)
        print(" | ".join(cells), file=sys.stderr, flush=True)
        rows.append(cells)
        good = good and ok
    text = table(HEADERS, rows)
    print(text)
    if arguments.write:
        save("intake_faults", text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
