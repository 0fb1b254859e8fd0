"""Let hardships befall runs, and store what held.

    python -m campaigns.hardships               all at full size, under an hour
    python -m campaigns.hardships --scale 0.05  all, a twentieth as often
    python -m campaigns.hardships --only "disk full"

The exit status is 1 where a promise did not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
import warnings
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from campaigns.hardships.registry import HARDSHIPS, Findings, Trouble, verdict

RESULT = Path(__file__).parents[1] / "results/hardships.json"
MODULES = ("kills", "disks", "clocks", "workers", "probes", "parts", "soak", "clients")


def stored(report: Path) -> dict[str, Findings]:
    """What a report holds already, so that single hardships can be suffered again."""
    if not report.exists():
        return {}
    found = json.loads(report.read_text("utf-8"))["hardships"]
    return {name: Findings(**one) for name, one in found.items() if name in HARDSHIPS}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the full size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="names of hardships")
    parser.add_argument("--json", type=Path, default=RESULT, help="where the report is stored")
    options = parser.parse_args()
    for module in MODULES:
        import_module(f"campaigns.hardships.{module}")
    warnings.simplefilter("ignore")
    results: dict[str, Findings] = stored(options.json) if options.only else {}
    for name in options.only or HARDSHIPS:
        with tempfile.TemporaryDirectory(prefix="hardships-") as folder:
            found, begun = Findings(), time.monotonic()
            chance = random.Random(f"{options.seed} {name}")
            try:
                HARDSHIPS[name](Trouble(Path(folder), options.scale, chance, found))
            except Exception as error:  # one hardship that fails leaves the others to be suffered
                found.check("the hardship itself went through", False, repr(error))
            found.figures["seconds"] = round(time.monotonic() - begun, 1)
        results[name] = found
        print(f"{name}: {found.held} {found.figures}", flush=True)
        for case in found.broken:
            print(f"  {case}", flush=True)
        report = {
            "scale": options.scale,
            "seed": options.seed,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "held": verdict(results),
            "hardships": {name: asdict(found) for name, found in results.items()},
        }
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0 if verdict(results) else 1


if __name__ == "__main__":
    sys.exit(main())
