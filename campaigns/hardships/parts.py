"""Parts of a run that were cut, emptied or written over afterwards."""

from __future__ import annotations

import shutil

from campaigns.hardships.registry import Trouble, hardship
from campaigns.hardships.training import watched


@hardship("corrupt parts")
def corrupt_parts(trouble: Trouble) -> None:
    from spectrain.core import SpectrainError
    from spectrain.records import open_run

    whole = trouble.folder / "whole"
    watched(whole, trouble.folder / "log", steps=40, every=1)
    rows = open_run(whole).metrics().height
    for number in range(trouble.times(200)):
        path = shutil.copytree(whole, trouble.folder / "copy", dirs_exist_ok=False)
        files = [file for file in path.rglob("*") if file.is_file() and file.stat().st_size]
        victim = trouble.chance.choice(files)
        content = bytearray(victim.read_bytes())
        kind = trouble.chance.choice(("cut", "emptied", "changed"))
        if kind == "changed":
            for _ in range(trouble.chance.randrange(1, 20)):
                content[trouble.chance.randrange(len(content))] ^= 1 << trouble.chance.randrange(8)
        else:
            del content[trouble.chance.randrange(len(content)) if kind == "cut" else 0 :]
        victim.write_bytes(content)
        case = f"{number}: {victim.relative_to(path)} {kind}"
        try:
            run = open_run(path)
            read, told = run.metrics().height, bool(run.damaged)
            run.spectra()
            ordinary = True
        except SpectrainError:
            read, told, ordinary = 0, True, True
        except Exception as error:  # what this campaign looks for
            read, told, ordinary = 0, False, False
            case = f"{case}: {type(error).__name__}: {error}"
        trouble.found.check("what is left reads, or is refused in words", ordinary, case)
        part = victim.suffix == ".parquet"
        if ordinary and part:
            trouble.found.check("a part that does not hold what was written is named", told, case)
            trouble.found.check("no more is read than was written", read <= rows, case)
        shutil.rmtree(path)
