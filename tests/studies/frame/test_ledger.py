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


def test_readings_of_one_statement_are_counted_once_and_shown_as_a_table(tmp_path):
    result = execute(toy_study(), "quick", tmp_path).to_dict()
    one, *others = result["claims"]
    readings = [one | {"id": f"toy/{name}", "reading": f"by {name}"} for name in ("size", "sign")]
    page = ledger([result | {"claims": [*readings, *others]}])
    count = len(others) + 1
    assert f"{count} statements, some read in several ways, in {count + 1} claims" in page
    assert "One statement in 2 readings" in page
    assert f"| **{one['verdict']}** | by sign |" in page
    assert page.count(one["statement"].split("<")[0][:20]) == 1
