"""Values typed once."""

from nodes import primitive


def test_a_primitive_passes_its_value_on() -> None:
    assert primitive.primitive_int(value=2**63 - 1) == 2**63 - 1
    assert primitive.primitive_float(value=-0.5) == -0.5
    assert primitive.primitive_string(value="a (b:1.2)") == "a (b:1.2)"
    assert primitive.primitive_string_multiline(value="a\nb") == "a\nb"
    assert primitive.primitive_boolean(value=True) is True
