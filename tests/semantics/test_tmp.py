from building import *
from parts import *
from stage import *
def test_x(stage):
    spec = stage.spec({"a": Task(FILE, {"x": "1"}), "b": Task(READ, artifacts={"data": Of("a", "data")})})
    original = stage.run(spec)
    same = stage.folder / "same"
    same.write_text("1")
    equal = stage.rerun(original, {"b": Ask(artifacts={"data": str(same)})})
    print(equal.verdicts)
    print(equal.tasks["b"])
