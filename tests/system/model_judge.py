"""Judges a raw answer by botocore's own service model: names, types, lengths, enumerations; nothing unknown, nothing null."""
import botocore.session

_MODEL = botocore.session.get_session().get_service_model("xray")


def check_answer(operation, answer):
    """List of what is wrong with an answer's JSON; empty if it follows the model."""
    problems = []
    _check(_MODEL.operation_model(operation).output_shape, answer, operation, problems)
    return problems


def _check(shape, value, path, problems):
    kind = shape.type_name
    if value is None:
        problems.append(f"{path}: null")
    elif kind == "structure":
        if not isinstance(value, dict):
            problems.append(f"{path}: an object wanted")
            return
        for name in value:
            if name not in shape.members:
                problems.append(f"{path}.{name}: not in the model")
        for name in shape.required_members:
            if name not in value:
                problems.append(f"{path}.{name}: required")
        for name, member in shape.members.items():
            if name in value:
                _check(member, value[name], f"{path}.{name}", problems)
    elif kind == "list":
        if not isinstance(value, list):
            problems.append(f"{path}: a list wanted")
            return
        for i, item in enumerate(value):
            _check(shape.member, item, f"{path}[{i}]", problems)
    elif kind == "map":
        if not isinstance(value, dict):
            problems.append(f"{path}: a map wanted")
            return
        for key, item in value.items():
            _check(shape.value, item, f"{path}[{key!r}]", problems)
    elif kind == "string":
        if not isinstance(value, str):
            problems.append(f"{path}: a string wanted, not {value!r}")
        elif shape.enum and value not in shape.enum:
            problems.append(f"{path}: {value!r} is none of {shape.enum}")
        elif "max" in shape.metadata and len(value) > shape.metadata["max"]:
            problems.append(f"{path}: longer than {shape.metadata['max']}")
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            problems.append(f"{path}: an integer wanted, not {value!r}")
    elif kind in ("double", "float"):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            problems.append(f"{path}: a number wanted, not {value!r}")
    elif kind == "timestamp":
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1e11:
            problems.append(f"{path}: epoch seconds wanted, not {value!r}")
    elif kind == "boolean":
        if not isinstance(value, bool):
            problems.append(f"{path}: true or false wanted, not {value!r}")
    else:
        problems.append(f"{path}: the judge does not know {kind}")
