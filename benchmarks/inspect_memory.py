"""Peak memory of spectrain inspect on a large synthetic model in shards, and on its difference.

    python benchmarks/inspect_memory.py --gibibytes 4 --shape 256 65536 --shards 8 --difference

Writes float32 matrices of one shape into shards with an index, inspects them in a process of its
own, and compares its peak with that of the same process on a tiny model. The bound is
workers × 3 × the largest matrix as it is stored, beside that constant. All layers hold the same
random numbers: memory does not depend on them, and writing is cheap.
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
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--difference", action="store_true", help="of two such models")
    parser.add_argument("--child", type=Path, nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(inspect(options.child, options.workers)))
        return
    m, n = options.shape
    count = max(1, round(options.gibibytes * 1024 * MEBIBYTE / (4 * m * n)))
    with TemporaryDirectory() as folder:
        models = range(2 if options.difference else 1)
        tiny = [Path(folder, f"tiny{seed}") for seed in models]
        large = [Path(folder, f"large{seed}") for seed in models]
        for seed in models:
            write(tiny[seed], 1, 8, 8, 1, seed)
            write(large[seed], count, m, n, options.shards, seed)
        size = sum(file.stat().st_size for file in large[0].iterdir())
        start, found = (measure(paths, options.workers) for paths in (tiny, large))
    matrix = 4 * m * n
    added = found["peak"] - start["peak"]
    result = {
        "what": "difference" if options.difference else "one model",
        "model_mib": round(size / MEBIBYTE),
        "shards": options.shards,
        "matrices": count,
        "shape": [m, n],
        "workers": options.workers,
        "matrix_float32_mib": round(matrix / MEBIBYTE, 1),
        "constant_mib": round(start["peak"] / MEBIBYTE),
        "peak_mib": round(found["peak"] / MEBIBYTE),
        "added_over_workers_and_matrix": round(added / matrix / options.workers, 2),
        "seconds": round(found["seconds"], 1),
    }
    print(json.dumps(result, indent=1))


def write(folder: Path, count: int, m: int, n: int, shards: int, seed: int) -> None:
    """A folder of shards with an index, written matrix by matrix."""
    import numpy as np

    folder.mkdir()
    data = np.random.default_rng(seed).standard_normal((m, n), dtype=np.float32).data
    places: dict[str, str] = {}
    for shard in range(shards):
        own = range(shard, count, shards)
        header = {
            f"layers.{layer}.weight": {
                "dtype": "F32",
                "shape": [m, n],
                "data_offsets": [at * data.nbytes, (at + 1) * data.nbytes],
            }
            for at, layer in enumerate(own)
        }
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        places |= dict.fromkeys(header, file)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with (folder / file).open("wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            for _ in own:
                out.write(data)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))


def measure(paths: list[Path], workers: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--workers", str(workers), "--child", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def inspect(paths: list[Path], workers: int) -> dict[str, float]:
    from spectrain.checkpoint import compare_checkpoints, inspect_checkpoints, open_checkpoint

    opened = [open_checkpoint(path) for path in paths]
    with TemporaryDirectory() as folder:
        start, out = perf_counter(), Path(folder) / "run"
        if len(opened) > 1:
            before, after = opened
            compare_checkpoints(before, after, out, workers=workers)
        else:
            inspect_checkpoints(opened, out, workers=workers)
        seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak": peak, "seconds": seconds}


if __name__ == "__main__":
    main()
