from spectrain_studies.frame import execute
from spectrain_studies.frame.ledger import overview, section
from support.toy_study import toy_study


def test_the_ledger_tells_every_claim(tmp_path):
    result = execute(toy_study(broken=True), "paper", tmp_path).to_dict()
    page = section(result)
    assert "Scale *paper*: 1 holds, 1 fails, 2 undecided." in page
    assert "- fewer seeds" in page
    for row in result["claims"]:
        assert f"**{row['verdict']}** `{row['id']}`" in page
    assert "8 seeds" in page


def test_text_is_not_taken_for_markup(tmp_path):
    result = execute(toy_study(), "quick", tmp_path).to_dict()
    result["claims"][0]["statement"] = "<script>*a*[b](c)"
    assert r"\<script\>\*a\*\[b\](c)" in section(result)


def test_claims_that_were_not_run_are_listed(tmp_path):
    result = execute(toy_study(), "quick", tmp_path).to_dict()
    claims = [*toy_study().claims.values()]
    assert "Not run" not in section(result, claims)
    result["claims"] = result["claims"][:1]
    assert f"- `{claims[1].id}`" in section(result, claims)


def test_readings_of_one_statement_are_counted_once_and_shown_as_a_table(tmp_path):
    result = execute(toy_study(), "quick", tmp_path).to_dict()
    one, *others = result["claims"]
    readings = [one | {"id": f"toy/{name}", "reading": f"by {name}"} for name in ("size", "sign")]
    page = section(result | {"claims": [*readings, *others]})
    count = len(others) + 1
    assert f"{count} statements, some read in several ways, in {count + 1} claims" in page
    assert "One statement in 2 readings" in page
    assert f"| **{one['verdict']}** | by sign |" in page
    assert page.count(one["statement"].split("<")[0][:20]) == 1


def test_claims_stand_under_their_topics(tmp_path):
    claims = [*toy_study().claims.values()]
    result = execute(toy_study(), "quick", tmp_path).to_dict()
    page = section(result, claims)
    for topic in {claim.topic for claim in claims}:
        assert page.count(f"### {topic}\n") == 1
    assert f"`spectrain study run {result['study']} --scale quick --claim ID`" in page


def test_the_overview_counts_verdicts(tmp_path):
    result = execute(toy_study(broken=True), "paper", tmp_path).to_dict()
    assert "| 4 | 1 holds, 1 fails, 2 undecided |" in overview([result])
