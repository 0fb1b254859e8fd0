from spectrain_studies.frame import execute, ledger
from support.toy_study import toy_study


def test_the_ledger_tells_every_claim(tmp_path):
    result = execute(toy_study(broken=True), "paper", tmp_path).to_dict()
    page = ledger([result])
    assert "Scale *paper*: 1 holds, 1 fails, 2 undecided." in page
    assert "- fewer seeds" in page
    for row in result["claims"]:
        assert f"**{row['verdict']}** `{row['id']}`" in page
    assert "8 seeds" in page


def test_text_is_not_taken_for_markup(tmp_path):
    result = execute(toy_study(), "quick", tmp_path).to_dict()
    result["claims"][0]["statement"] = "<script>*a*[b](c)"
    assert r"\<script\>\*a\*\[b\](c)" in ledger([result])


def test_claims_that_were_not_run_are_listed(tmp_path):
    result = execute(toy_study(), "quick", tmp_path).to_dict()
    claims = [*toy_study().claims.values()]
    assert "Not run" not in ledger([result], {"toy": claims})
    result["claims"] = result["claims"][:1]
    assert f"- `{claims[1].id}`" in ledger([result], {"toy": claims})
