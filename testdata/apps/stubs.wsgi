# Holds the modules mod_wsgi and apache to their stubs, which are interp/stubs/ or what environ["stubs"] names: each difference is a line.
import ast
import importlib
import inspect
import os


def public(names):
    return {name for name in names if not name.startswith("_")}


def declared(body):
    "The names that a stub declares in a module or a class, with their nodes."
    found = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            found[node.target.id] = node
    return found


def parameters_of(node):
    "As inspect.signature() would show them."
    a = node.args
    names = [p.arg + " /" * (p in a.posonlyargs) for p in a.posonlyargs + a.args]
    return [name for name in names if name != "self"]


def parameters(function):
    shown = inspect.signature(function).parameters.values()
    return [p.name + " /" * (p.kind is p.POSITIONAL_ONLY) for p in shown if p.name != "self"]


def is_of(value, annotation):
    "Whether a value is of a type that a stub names. Type variables and protocols count as anything."
    name = ast.unparse(annotation)
    if "None" in name and value is None:
        return True
    name = name.split(" |")[0]
    if name.startswith("list[") and isinstance(value, list):
        return all(is_of(item, annotation_of(name[5:-1])) for item in value)
    if name.startswith("tuple[") and isinstance(value, tuple):
        return all(type(item).__name__ == kind for item, kind in zip(value, name[6:-1].split(", "), strict=True))
    if name.startswith("Callable["):
        return callable(value)
    if name.startswith("dict["):
        return isinstance(value, dict)
    if name == "Any" or name == "_ExceptionInfo" and len(value) == 3:
        return True
    if name.startswith("_"):
        return isinstance(value, dict) and not typed_dict(value, name)
    return type(value).__name__ == name


def annotation_of(text):
    return ast.parse(text, mode="eval").body


classes, events = {}, {}


def keep(name, **payload):
    events[name] = payload


def keys_of(name):
    "What a TypedDict has, with what it inherits."
    keys = {}
    for base in classes[name].bases:
        if base.id in classes:
            keys.update(keys_of(base.id))
    keys.update(declared(classes[name].body))
    return keys


def typed_dict(value, name):
    "How a dict differs from the TypedDict of that name."
    keys = keys_of(name)
    differences = [f"{name}: {key!r} is in one of both only" for key in set(keys) ^ set(value)]
    return differences + [f"{name}: {key!r} is {value[key]!r}, not {ast.unparse(keys[key].annotation)}" for key in set(keys) & set(value)
                          if not is_of(value[key], keys[key].annotation)]


def compare(module, stub):
    differences = []
    names = declared(stub.body)
    classes.update((name, node) for name, node in names.items() if isinstance(node, ast.ClassDef))
    for name in public(names) ^ public(dir(module)):
        differences.append(f"{module.__name__}.{name} is in one of both only")
    for name in public(names) & public(dir(module)):
        node, value = names[name], getattr(module, name)
        if isinstance(node, ast.AnnAssign):
            same = is_of(value, node.annotation)
        elif isinstance(node, ast.FunctionDef):
            same = inspect.isroutine(value) and parameters_of(node) == parameters(value)
        else:
            members = declared(node.body)
            same = isinstance(value, type) and (not members or set(members) == own(value) and all(
                parameters_of(member) == parameters(getattr(value, key)) for key, member in members.items()
                if not isinstance(getattr(value, key), property)))
        if not same:
            differences.append(f"{module.__name__}.{name} is {value!r}, in the stub: {ast.unparse(node)}")
    return differences


def own(cls):
    "What a class defines itself and others may use."
    return {name for name in vars(cls) if not name.startswith("_") or name in ("__init__", "__iter__", "__next__")}


def dicts(module):
    "The dicts that functions return."
    module.start_recording_metrics()
    module.request_metrics()
    for function in ("request_metrics", "process_metrics", "server_metrics"):
        value = getattr(module, function)()
        name = "_" + "".join(word.capitalize() for word in function.split("_"))
        if value is not None:
            yield from typed_dict(value, name)


def payloads(module, expected):
    "The events so far: those that are expected, at least."
    yield from (f"there was no {event}" for event in expected.split() if event not in events)
    if keep not in module.event_callbacks:
        module.subscribe_events(keep)
    for event, payload in list(events.items()):
        yield from typed_dict(payload, "_" + "".join(word.capitalize() for word in event.split("_")))


def application(environ, start_response):
    if environ.get("fail"):
        raise ValueError("as it should")
    differences = []
    for name in ("mod_wsgi", "apache"):
        module = importlib.import_module(name)
        with open(os.path.join(environ["stubs"], name + environ["stub_file"])) as stub:
            differences += compare(module, ast.parse(stub.read()))
        if name == "mod_wsgi":
            differences += [*dicts(module), *payloads(module, environ["events"])]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(differences).encode()]
