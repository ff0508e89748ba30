"""Style of the pictures."""

from skdistsearch.report.displays._style import contender_styles


def test_contenders_beyond_the_palette_have_a_hatch():
    styles = contender_styles(map(str, range(10, 30)))
    assert len({(style["color"], style["hatch"]) for style in styles.values()}) == 20
