"""Wires of a drawn workflow, through reroutes, muted and bypassed nodes: each rule by hand."""

from tests.engine.graph.drawn import LOADER, inputs, link, node, text, workflow


def test_reroutes_in_a_row_are_seen_through_and_a_ring_of_them_ends() -> None:
    reroutes = [node(2, "Reroute", wires={"": 1}, gives=["*"]), node(3, "Reroute", wires={"": 2}, gives=["*"])]
    links = [link(1, 1, 1, 2), link(2, 2, 0, 3), link(3, 3, 0, 4)]
    assert inputs(workflow([LOADER, *reroutes, text(4, 3)], links))["4"]["clip"] == ["1", 1]
    ring = [link(1, 3, 0, 2), *links[1:]]
    assert inputs(workflow([LOADER, *reroutes, text(4, 3)], ring))["4"] == {"text": "cat"}


def test_ten_thousand_reroutes_are_no_trouble() -> None:
    count = 10_000
    reroutes = [node(n, "Reroute", wires={"": n}, gives=["*"]) for n in range(2, count)]
    links = [link(n, 1 if n == 2 else n - 1, 1 if n == 2 else 0, n) for n in range(2, count + 1)]
    assert inputs(workflow([LOADER, *reroutes, text(count, count)], links))[str(count)]["clip"] == ["1", 1]


def test_a_primitive_gives_its_value_to_every_input_it_is_wired_to() -> None:
    primitive = node(2, "PrimitiveNode", [640, "fixed"], gives=["INT"])
    sizes = node(3, "EmptyLatentImage", [1, 2, 3], wires={"width": ("INT", 1), "height": ("INT", 2)})
    drawn = workflow([primitive, sizes], [link(1, 2, 0, 3), link(2, 2, 0, 3, 1)])
    assert inputs(drawn) == {"3": {"width": 640, "height": 640, "batch_size": 3}}


def test_notes_and_muted_nodes_are_not_sent_and_inputs_fed_by_muted_ones_are_deleted() -> None:
    muted = node(2, "PrimitiveInt", [5, "fixed"], gives=["INT"], mode=2)
    notes = [node(8, "Note", ["x"]), node(9, "MarkdownNote", ["y"])]
    sizes = node(3, "EmptyLatentImage", [1, 2, 3], wires={"width": ("INT", 1)})
    assert inputs(workflow([muted, sizes, *notes], [link(1, 2, 0, 3)])) == {"3": {"height": 2, "batch_size": 3}}


def test_a_bypassed_node_passes_on_what_has_the_wanted_type() -> None:
    lora = node(
        2,
        "LoraLoader",
        ["l", 1, 1],
        wires={"model": ("MODEL", 1), "clip": ("CLIP", 2)},
        gives=["MODEL", "CLIP"],
        mode=4,
    )
    links = [link(1, 1, 0, 2), link(2, 1, 1, 2, 1), link(3, 2, 1, 3)]
    assert inputs(workflow([LOADER, lora, text(3, 3)], links))["3"]["clip"] == ["1", 1]


def test_a_bypassed_node_that_has_nothing_of_the_wanted_type_breaks_the_path() -> None:
    wires = {"samples": ("LATENT", 1), "vae": ("VAE", 2)}
    nodes = [
        node(1, "EmptyLatentImage", [8, 8, 1], gives=["LATENT"]),
        node(2, "VAEDecode", wires=wires, gives=["IMAGE"], mode=4),
        node(3, "SaveImage", ["p"], wires={"images": ("IMAGE", 3)}),
    ]
    links = [link(1, 1, 0, 2), link(3, 2, 0, 3)]
    assert inputs(workflow(nodes, links))["3"] == {"filename_prefix": "p"}


def test_a_bypassed_node_asked_for_anything_gives_its_input_of_the_same_place() -> None:
    two = node(2, "Two", wires={"a": ("A", 1), "b": ("B", 2)}, gives=["X", "Y"], mode=4)
    end = node(3, "PreviewAny", wires={"source": ("*", 3)})
    nodes = [LOADER, two, end]
    links = [link(1, 1, 0, 2), link(2, 1, 1, 2), link(3, 2, 1, 3)]
    assert inputs(workflow(nodes, links))["3"]["source"] == ["1", 1]


def test_links_are_read_as_objects_as_lists_with_text_and_with_holes() -> None:
    as_objects = [{"id": 3, "origin_id": 1, "origin_slot": 1, "target_id": 2, "target_slot": 0, "type": "CLIP"}]
    for links in (as_objects, [None, ["3", "1", "1", 2, 0, "CLIP"]], {"3": as_objects[0]}, [[3, 1, 1, 2, 99, "CLIP"]]):
        assert inputs({"nodes": [LOADER, text(2, 3)], "links": links})["2"]["clip"] == ["1", 1]


def test_a_wire_that_is_missing_or_leads_nowhere_leaves_the_typed_value() -> None:
    sizes = node(3, "EmptyLatentImage", [1, 2, 3], wires={"width": ("INT", 1), "height": ("INT", 7)})
    assert inputs(workflow([sizes], [link(1, 99, 0, 3)])) == {"3": {"width": 1, "height": 2, "batch_size": 3}}


def test_waypoints_groups_and_floating_wires_say_nothing() -> None:
    drawn = workflow([LOADER, text(2, 3)], [link(3, 1, 1, 2)], reroutes=[{"id": 1}], linkExtensions=[{"id": 3}])
    drawn |= {"groups": [{"title": "g"}], "floatingLinks": [{"id": 9, "origin_id": 1}], "reroutes": [{"id": 5}]}
    assert inputs(drawn)["2"]["clip"] == ["1", 1]


def test_get_and_set_nodes_are_joined_by_their_name_also_out_of_a_subgraph() -> None:
    setter = node(2, "SetNode", ["the clip"], wires={"CLIP": ("CLIP", 1)}, gives=["*"])
    getter = node(3, "GetNode", ["the clip"], gives=["CLIP"])
    links = [link(1, 1, 1, 2), link(2, 3, 0, 4)]
    assert inputs(workflow([LOADER, setter, getter, text(4, 2)], links)) == {
        "1": {"ckpt_name": "a.ckpt"},
        "4": {"text": "cat", "clip": ["1", 1]},
    }
    inner = {"id": "sub", "nodes": [getter, text(4, 2)], "links": [link(2, 3, 0, 4)], "inputs": [], "outputs": []}
    drawn = workflow([LOADER, setter, node(9, "sub")], [link(1, 1, 1, 2)], inner)
    assert inputs(drawn)["9:4"]["clip"] == ["1", 1]


def test_a_getter_without_its_setter_leads_nowhere() -> None:
    getter = node(3, "GetNode", ["nothing"], gives=["CLIP"])
    assert inputs(workflow([getter, text(4, 2)], [link(2, 3, 0, 4)])) == {"4": {"text": "cat"}}
