from spectrain.training.progress import progress_bar


def test_the_bar_tells_name_steps_and_loss_on_standard_error(capsys):
    with progress_bar("muon", start=3, steps=5) as advance:
        advance(2.5)
        advance(1.25)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "muon" in captured.err
    assert "5/5 loss 1.250" in captured.err
