from building import *
from stage import *
import time
def test_x(stage):
    spec = stage.spec({
        "a": Task(Leaf('echo -n "$x" > "$out"; echo -n "d$x" > "$data"', inputs={"x": "STRING"}, outputs={"out": "STRING"}, writes=["data"]), inputs={"x": Given("x")}),
        "b": Task(Leaf('cat "$data" > "$out"; echo "$given"', inputs={"y": "STRING"}, outputs={"out": "STRING"}, reads=["data"]), inputs={"y": Of("a")}, artifacts={"data": Of("a","data")}),
        "l": Task(Dag({"w": Task(Leaf(says="w $item", inputs={"item": "STRING"}), inputs={"item": Given("item")})}), each=["p","q"], after=["a"]),
    }, {"x": "STRING"}, {"res": Of("b")})
    t=time.time()
    r = stage.run(spec, {"x": "1"})
    print(time.time()-t, r.ran, r.states, r.root, r.outputs("b"))
    for x in r.tasks.values(): print(x.task_unique_name, x.error.message)
    print(b"".join(p.data for p in stage.client.logs(r.name, "b")))
    t=time.time()
    r2 = stage.rerun(r, {"a": RUN})
    print(time.time()-t, r2.verdicts, r2.ran, r2.states)
    print(r2.tasks["a"])
