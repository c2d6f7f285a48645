import xml.etree.ElementTree as ElementTree

from stylekit.curation.pipeline_figure import StepCount, pipeline_figure


def test_every_step_with_its_counts_inside_the_picture():
    steps = [
        StepCount("pool", {"style": 2000, "content": 1200}, 3),
        StepCount("pair <&>", {"image": 1_360_000}, 0),
    ]
    root = ElementTree.fromstring(pipeline_figure(steps))
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["pool", "2,000 styles", "1,200 contents", "−3", "pair <&>", "1,360,000 images"]
    _, _, width, height = (float(number) for number in root.attrib["viewBox"].split())
    for node in root.iter("{http://www.w3.org/2000/svg}text"):
        assert 0 < float(node.attrib["x"]) < width
        assert 0 < float(node.attrib["y"]) < height
