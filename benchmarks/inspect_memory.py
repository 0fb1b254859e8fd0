"""Peak memory of spectrain inspect on a large synthetic checkpoint.

    python benchmarks/inspect_memory.py --gibibytes 4 --shape 512 65536

Writes random float32 matrices of one shape into a safetensors file, inspects it in a process of its
own, and compares its peak with that of the same process on an empty-handed start. The bound is
workers × 3 × the matrix in float64, beside a constant.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

MEBIBYTE = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gibibytes", type=float, default=4.0)
    parser.add_argument("--shape", type=int, nargs=2, default=[512, 65536])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(inspect(options.child, options.workers)))
        return
    m, n = options.shape
    count = max(1, round(options.gibibytes * 1024 * MEBIBYTE / (4 * m * n)))
    with TemporaryDirectory() as folder:
        tiny, large = Path(folder, "tiny.safetensors"), Path(folder, "large.safetensors")
        write(tiny, 1, 8, 8)
        write(large, count, m, n)
        size = large.stat().st_size
        start, found = (measure(path, options.workers) for path in (tiny, large))
    matrix = 8 * m * n
    added = found["peak"] - start["peak"]
    result = {
        "file_mib": round(size / MEBIBYTE),
        "matrices": count,
        "shape": [m, n],
        "workers": options.workers,
        "matrix_float64_mib": round(matrix / MEBIBYTE, 1),
        "constant_mib": round(start["peak"] / MEBIBYTE),
        "peak_mib": round(found["peak"] / MEBIBYTE),
        "added_over_workers_and_matrix": round(added / matrix / options.workers, 2),
        "seconds": round(found["seconds"], 1),
    }
    print(json.dumps(result, indent=1))


def write(path: Path, count: int, m: int, n: int) -> None:
    """A safetensors file, written matrix by matrix."""
    import numpy as np

    width = 4 * m * n
    header = {
        f"layers.{i}.weight": {
            "dtype": "F32",
            "shape": [m, n],
            "data_offsets": [i * width, (i + 1) * width],
        }
        for i in range(count)
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _ in range(count):
            file.write(rng.standard_normal((m, n), dtype=np.float32).data)


def measure(path: Path, workers: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", str(path), "--workers", str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def inspect(path: Path, workers: int) -> dict[str, float]:
    from spectrain.checkpoint import inspect_checkpoints, open_checkpoint

    with TemporaryDirectory() as folder:
        start = perf_counter()
        inspect_checkpoints([open_checkpoint(path)], Path(folder) / "run", workers=workers)
        seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak": peak, "seconds": seconds}


if __name__ == "__main__":
    main()
