"""What a reader does with the page of a run: by mouse, by keyboard alone, on paper."""

from __future__ import annotations

import csv
import io
from importlib.resources import files

import pytest
from playwright.sync_api import Page, expect

from spectrain.answers import QUESTIONS
from support.browser import until, visit

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
BLOCK = "layers.3.mlp.in.weight"


def violations(page: Page) -> list[str]:
    """Rules of axe that the page breaks, each with the first element that does."""
    page.evaluate(AXE)
    page.evaluate(
        "document.querySelectorAll('.js-plotly-plot').forEach((c) => Plotly.Fx.unhover(c))"
    )
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def range_of(page: Page, chart: str) -> list[float]:
    return [round(end) for end in page.evaluate(f"byId('{chart}').layout.xaxis.range")]


def download(page: Page, press: str) -> str:
    with page.expect_download() as waiting:
        page.click(press)
    return waiting.value.path().read_text("utf-8")


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("width", [1400, 1000, 400])
def test_verdicts_and_loss_are_on_the_first_screen(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(300)
    for line in page.locator(".verdicts li").all():
        assert line.bounding_box()["y"] + 20 < 900
    assert page.locator(".verdicts li").count() == len(QUESTIONS)
    chart = page.locator("#loss-chart .xy").first.bounding_box()
    assert chart["y"] + chart["height"] < 900
    assert page.locator("details.fold[open]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.set_viewport_size({"width": 1400, "height": 900})


def test_a_verdict_leads_to_its_evidence(page):
    page.click("a.why[href='#finding-rank']")
    expect(page.locator("#finding-rank")).to_be_in_viewport()
    assert page.evaluate("document.activeElement.id") == "finding-rank"


def test_the_range_is_one_for_all_charts(page):
    page.click("#heatmaps summary")
    page.evaluate("scrollTo(0, 0)")
    whole = range_of(page, "grid-rank")
    box = page.locator("#loss-chart .nsewdrag").first.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.25 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], middle, steps=4)
    page.mouse.up()
    expect(page.locator("#zoom-from")).not_to_have_value("0")
    low, high = range_of(page, "grid-rank")
    assert range_of(page, "loss-chart") == range_of(page, "grid-update") == [low, high]
    assert 0.2 * whole[1] < low < 0.3 * whole[1]
    assert 0.45 * whole[1] < high < 0.55 * whole[1]
    page.click("#step-tools summary")
    page.fill("#zoom-to", "400")
    page.keyboard.press("Tab")
    assert abs(range_of(page, "loss-chart")[1] - 400) < 5
    page.click("#zoom-out")
    assert range_of(page, "loss-chart") == whole


def test_the_axis_tells_what_is_not_recorded_and_smoothing_draws_the_mean(page):
    page.click("#step-tools summary")
    options = page.locator("#axis option").all_inner_texts()
    assert options == ["steps", "tokens (not recorded)", "time of training (not recorded)"]
    values = "byId('loss-chart').data.filter((t) => t.name === 'loss').at(-1).y"
    raw = page.evaluate(values)
    page.locator("#smoothing").fill("0.9")
    until(page, "byId('loss-chart').data.length > 4")
    keep, total, weight, expected = 0.9, 0.0, 0.0, []
    steps = page.evaluate("data.curves[0].steps")
    for i, value in enumerate(raw):
        gap = (steps[i] - steps[i - 1]) * 600 / steps[-1] if i else 1.0
        total = keep**gap * total + (1 - keep**gap) * value
        weight = keep**gap * weight + (1 - keep**gap)
        expected.append(total / weight)
    assert page.evaluate(values) == pytest.approx(expected)


def test_a_chosen_block_is_chosen_everywhere_and_in_the_address(page):
    page.click("#unfold")
    page.click(f"#blocks th[data-block='{BLOCK}'] button")
    assert page.evaluate("location.hash") == f"#block={BLOCK}"
    assert page.input_value("#block") == BLOCK
    chosen = page.locator("tr.chosen th").all_inner_texts()
    assert set(chosen) == {BLOCK}
    assert len(chosen) >= 2  # in every table that has a row a block
    assert page.evaluate("byId('grid-rank').layout.shapes.length") == 1
    row = page.evaluate("data.rows.findIndex((row) => row.name === 'layers.2.attn.query.weight')")
    page.evaluate("byId('grid-rank').scrollIntoView({ block: 'center' })")
    edges = page.evaluate("(i) => byId('grid-rank')._fullLayout.yaxis.d2p(i)", row + 1.0)
    page.locator("#grid-rank .nsewdrag").first.click(position={"x": 300, "y": edges})
    expect(page.locator("#block")).to_have_value("layers.2.attn.query.weight")
    page.go_back()
    expect(page.locator("#block")).to_have_value(BLOCK)
    for address in ("#block=no.such", "#block=%E0%A4%A", "#%3Cscript%3E", "#block=constructor"):
        page.evaluate("(address) => { location.hash = address; }", address)
        assert page.input_value("#block") == BLOCK


def test_the_address_chooses_the_block(browser, page_file):
    seen = visit(browser, page_file)
    seen.page.goto(f"{page_file.as_uri()}#block={BLOCK}")
    expect(seen.page.locator("#block")).to_have_value(BLOCK)
    seen.page.reload()
    assert seen.page.input_value("#block") == BLOCK
    seen.page.context.close()


def test_blocks_are_searched_and_the_gravest_come_first(page):
    page.click("#table summary")
    rows = page.locator("#blocks tbody tr")
    asking = rows.evaluate_all("all => all.map((row) => row.querySelector('.concern') !== null)")
    assert asking == sorted(asking, reverse=True)
    assert set(asking) == {True, False}
    tools = page.locator("#table .table-tools")
    tools.get_by_role("searchbox").fill("mlp layers.2")
    shown = page.locator("#blocks tbody tr:visible th").all_inner_texts()
    assert shown == ["layers.2.mlp.in.weight", "layers.2.mlp.out.weight"]
    assert "2 of 30 rows" in tools.inner_text()
    tools.get_by_role("searchbox").fill("")
    tools.get_by_role("checkbox").check()
    assert page.locator("#blocks tbody tr:visible").count() == sum(asking)


def test_data_and_figures_are_saved(page):
    page.click("#table summary")
    page.fill("#table input[type=search]", "mlp.in")
    rows = table(download(page, "#table .table-tools >> text=CSV"))
    assert (rows[0][0], len(rows)) == ("Block", 1 + 4)
    page.fill("#table input[type=search]", "")
    loss = table(download(page, "#loss >> text=CSV"))
    assert loss[0] == ["series", "x", "y", "z"]
    points = [row for row in loss if row[0] == "loss"]
    assert [float(row[2]) for row in points] == page.evaluate("data.curves[0].values")
    svg = download(page, "#loss >> text=SVG")
    assert svg.startswith("<svg")
    assert "gradient norm" in svg


def test_spreadsheets_take_no_name_for_a_formula(page):
    names = ["=1+1", "+cmd", "-2.5e-3", "@x", "a,b", 'say "x"', "it's"]
    (read,) = table(page.evaluate("(row) => csv([row])", names))
    assert read == ["'=1+1", "'+cmd", "-2.5e-3", "'@x", "a,b", 'say "x"', "it's"]


def test_terms_are_explained_where_one_points_or_tabs(page):
    term = page.locator(".verdicts a.term").first
    term.hover()
    expect(page.locator("#hint")).to_contain_text("exp H")
    page.mouse.move(0, 0)
    expect(page.locator("#hint")).to_be_hidden()
    term.focus()
    expect(page.locator("#hint")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#hint")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#term-effective-rank")).to_be_in_viewport()


def test_all_is_reached_by_keyboard_alone(page):
    def tab_to(what):
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({what!r})"):
                return
        pytest.fail(f"{what} is not reached by the tabulator")

    tab_to("#table > summary")
    page.keyboard.press("Enter")
    tab_to("#table input[type=search]")
    page.keyboard.type("layers.3.mlp.in")
    tab_to("th .pick")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == f"#block={BLOCK}"
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(page, scheme):
    page.emulate_media(color_scheme=scheme)
    assert violations(page) == []
    page.click("#unfold")
    page.click("#step-tools summary")
    assert violations(page) == []
    page.emulate_media(color_scheme="light")


HANGING = """
() => [...document.querySelectorAll(".js-plotly-plot")].filter((chart) => {
  const drawn = chart.querySelector(".main-svg");
  const height = drawn ? drawn.getBoundingClientRect().height : 0;
  return chart.offsetParent && height > chart.offsetHeight + 2;
}).map((chart) => chart.id)
"""


@pytest.mark.parametrize("width", [1400, 400])
def test_no_chart_hangs_over_what_is_below_it(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.click("#unfold")
    page.locator("#stability-chart").scroll_into_view_if_needed()
    page.wait_for_selector("#stability-chart .main-svg")
    assert page.evaluate(HANGING) == []
    page.set_viewport_size({"width": 1400, "height": 900})


CROWDED = """
() => {
  const texts = [...document.querySelectorAll("#loss-chart .annotation-text")];
  const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]);
  const over = (one, two) => one.left < two.right && two.left < one.right
    && one.top < two.bottom - 2 && two.top < one.bottom - 2;
  return boxes.flatMap(([a, one], i) => boxes.slice(i + 1)
    .filter(([, two]) => over(one, two)).map(([b]) => `${a} on ${b}`));
}
"""


@pytest.mark.parametrize("width", [1400, 400])
def test_numbers_of_early_events_leave_the_title_of_the_loss_alone(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(
        """() => {
          const first = data.milestones.length;
          data.milestones.push({ step: 30, kind: "warm-up ended", text: "at 3 % of the run" });
          drawLoss();
          data.milestones.length = first;
        }"""
    )
    page.wait_for_timeout(300)
    crowded = page.evaluate(CROWDED)
    page.set_viewport_size({"width": 1400, "height": 900})
    page.evaluate("drawLoss()")
    assert crowded == []


OVERFLOWING = """
(width) => [...document.querySelectorAll("main *, header *")].filter((element) => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && !element.closest(".chart, svg") && box.right > width + 1;
}).map((element) => `${element.tagName} ${element.textContent.slice(0, 60)}`)
"""
OVERLAPPING = """
() => {
  const parts = "main > *, .first > *, .unfolded > *, .fold > summary, figure > *";
  const boxes = [...document.querySelectorAll(parts)].map((e) => [e, e.getBoundingClientRect()]);
  const shown = boxes.filter(([, box]) => box.width && box.height);
  const over = (one, two) => one.top < two.top && one.bottom > two.top + 2
    && one.left < two.right - 2 && two.left < one.right - 2;
  return shown.flatMap(([a, one]) => shown
    .filter(([b, two]) => !a.contains(b) && !b.contains(a) && over(one, two))
    .map(([b]) => `${a.tagName}#${a.id} on ${b.tagName}#${b.id}`));
}
"""


def test_printed_no_column_is_cut_and_nothing_overlaps(browser, page_file):
    page = visit(browser, page_file, width=1030).page  # of a landscape A4 sheet at 96 dots an inch
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(OVERFLOWING, 1030) == []
    assert page.evaluate(OVERLAPPING) == []
    assert page.locator("details.fold:not([open])").count() == 0
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") > 3
    page.context.close()
