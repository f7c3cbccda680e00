"""Names with dots and what they stand for: a prompt gives `images.image0`, an author gets {"images": {"image0": …}}."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from comfy_api.latest import io
from comfy_api.latest._io_dynamic import DynamicInput


class Nesting:
    """Puts the inputs of one node type into the shape its author expects. Plain inputs stay as they are."""

    def __init__(self, inputs: Iterable[io.Input]) -> None:
        self._groups = {each.id: each for each in inputs if isinstance(each, DynamicInput)}

    def nest(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs by the author's names: each group of members as a dict, also where none is given."""
        if not self._groups:
            return dict(given)
        made = {name: value for name, value in given.items() if name.partition(".")[0] not in self._groups}
        for name, group in self._groups.items():
            if not group.optional or any(each.partition(".")[0] == name for each in given):
                made[name] = _group(group, given)
        return made


def _group(group: DynamicInput, given: Mapping[str, Any]) -> dict[str, Any]:
    """One group's members; a choice stands under the group's own name."""
    inside = {name[len(group.id) + 1 :]: value for name, value in given.items() if name.startswith(f"{group.id}.")}
    if isinstance(group, io.DynamicCombo.Input):
        key = given.get(group.id)
        # A node that takes lists gets the key as a list too.
        chosen = key[0] if isinstance(key, list) and key else key
        option = next((each for each in group.choices if each.key == chosen), None)
        return {group.id: key, **Nesting(option.inputs if option is not None else ()).nest(inside)}
    template = getattr(group, "template", None)
    member = template.input if template is not None else None
    # Constants come before links, but an author counts on the order of the template.
    given_names = {each.partition(".")[0] for each in inside}
    names = [each for each in getattr(template, "cached_inputs", ()) if each in given_names]
    if isinstance(member, DynamicInput):
        return {name: _group(_renamed(member, name), inside) for name in names}
    return {name: inside[name] for name in names}


def _renamed(member: DynamicInput, name: str) -> DynamicInput:
    made = object.__new__(type(member))
    made.__dict__.update(member.__dict__, id=name)
    return made


def mapped(function: Callable[[Any], Any], value: Any, is_list: bool) -> Any:
    """The function of a value; of each item where the node takes lists."""
    return [function(each) for each in value] if is_list and isinstance(value, list | tuple) else function(value)
