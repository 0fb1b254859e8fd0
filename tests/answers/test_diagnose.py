from spectrain.answers import diagnose
from support.synthetic_run import Recipe, write_run


def test_all_questions_over_the_same_blocks(tmp_path):
    run = write_run(tmp_path / "run", Recipe(steps=range(10)))
    findings = diagnose(run, blocks=run.blocks[:2])
    asked = ["descent", "rank", "noise", "regime", "randomness", "stability", "audit"]
    assert [finding.name for finding in findings] == asked
    names = [block.name for block in run.blocks[:2]]
    assert all([row.block for row in finding.rows] == names for finding in findings)
