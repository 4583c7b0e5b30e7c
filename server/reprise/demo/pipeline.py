"""The pipeline of `reprise demo`: data, one model trained at several learning rates, the best of them kept.

Compiled by `python -m reprise.demo.pipeline` into pipeline.yaml, which is what is submitted. Compiling it
needs kfp, running it does not. The tasks use the standard library alone. With the default parameters the
training at the learning rate 3 diverges: the mistake that the rerun corrects.
"""

# ruff: noqa: B006, PTH123, UP006, UP035 (kfp reads defaults and List; open() keeps the tasks short)
# No `from __future__ import annotations`: kfp reads the annotations as objects.

from pathlib import Path
from typing import List

from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Markdown, Metrics, Model, Output


@dsl.component(base_image="python:3.12")
def generate_data(row_count: int, seed: int, data: Output[Dataset]):
    """Two features and a target that depends on them, with noise."""
    import csv
    import random

    source = random.Random(seed)
    with open(data.path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "y", "target"])
        for _ in range(row_count):
            x, y = source.gauss(0, 1), source.gauss(0, 1)
            writer.writerow([f"{value:.6f}" for value in (x, y, 2 * x - y + 0.5 + source.gauss(0, 0.4))])
    data.metadata["row_count"] = row_count
    print(f"wrote {row_count} rows")


@dsl.component(base_image="python:3.12")
def split_data(
    data: Input[Dataset], test_share: float, training: Output[Dataset], test: Output[Dataset]
) -> int:
    """The last rows are kept for the test; the answer is the number of rows to train with."""
    with open(data.path) as file:
        header, *rows = file.readlines()
    training_count = len(rows) - int(len(rows) * test_share)
    for output, part in ((training, rows[:training_count]), (test, rows[training_count:])):
        with open(output.path, "w") as file:
            file.writelines([header, *part])
        output.metadata["row_count"] = len(part)
    print(f"{training_count} rows to train with, {len(rows) - training_count} to test with")
    return training_count


@dsl.component(base_image="python:3.12")
def train(
    training: Input[Dataset],
    epochs: int,
    learning_rate: float,
    model: Output[Model],
    metrics: Output[Metrics],
) -> float:
    """A linear model by gradient descent; the answer is its mean squared error. Fails when that diverges."""
    import csv
    import json

    with open(training.path, newline="") as file:
        rows = [(float(row["x"]), float(row["y"]), float(row["target"])) for row in csv.DictReader(file)]
    weight_x = weight_y = bias = 0.0
    first = None
    for epoch in range(1, epochs + 1):
        loss = slope_x = slope_y = slope_bias = 0.0
        for x, y, target in rows:
            difference = weight_x * x + weight_y * y + bias - target
            loss += difference * difference / len(rows)
            slope_x += 2 * difference * x / len(rows)
            slope_y += 2 * difference * y / len(rows)
            slope_bias += 2 * difference / len(rows)
        first = loss if first is None else first
        if epoch % 10 == 1:
            print(f"epoch {epoch}: loss {loss:.4f}", flush=True)
        if loss > 1000 * first:
            raise ValueError(
                f"training diverged at learning rate {learning_rate}: loss {loss:.4g}, epoch {epoch}"
            )
        weight_x -= learning_rate * slope_x
        weight_y -= learning_rate * slope_y
        bias -= learning_rate * slope_bias
    with open(model.path, "w") as file:
        json.dump({"x": weight_x, "y": weight_y, "bias": bias}, file)
    model.metadata["learning_rate"] = learning_rate
    metrics.log_metric("loss", round(loss, 6))
    return loss


@dsl.component(base_image="python:3.12")
def select_model(models: Input[List[Model]], losses: List[float], best: Output[Model]) -> float:
    """The model with the smallest loss, and that loss."""
    import shutil

    index = min(range(len(losses)), key=losses.__getitem__)
    shutil.copyfile(models[index].path, best.path)
    best.metadata.update(models[index].metadata)
    print(f"best of {len(losses)}: learning rate {models[index].metadata['learning_rate']}")
    return losses[index]


@dsl.component(base_image="python:3.12")
def evaluate(model: Input[Model], test: Input[Dataset], metrics: Output[Metrics]) -> float:
    """The share of the target's variance that the model explains on rows it has not seen."""
    import csv
    import json

    with open(model.path) as file:
        weights = json.load(file)
    with open(test.path, newline="") as file:
        rows = [(float(row["x"]), float(row["y"]), float(row["target"])) for row in csv.DictReader(file)]
    mean = sum(target for _, _, target in rows) / len(rows)
    total = sum((target - mean) ** 2 for _, _, target in rows)
    missed = 0.0
    for x, y, target in rows:
        missed += (weights["x"] * x + weights["y"] * y + weights["bias"] - target) ** 2
    explained = 1 - missed / total
    metrics.log_metric("explained_variance", round(explained, 4))
    print(f"explained variance {explained:.4f}")
    return explained


@dsl.component(base_image="python:3.12")
def report(explained: float, loss: float, row_count: int, text: Output[Markdown]):
    """A page for a person."""
    with open(text.path, "w") as file:
        file.write(f"# Model\n\n- rows: {row_count}\n- loss: {loss:.4f}\n- explained: {explained:.2%}\n")


@dsl.pipeline(name="reprise-demo", description="Trains and evaluates a small model.")
def demo_pipeline(
    learning_rates: List[float] = [0.01, 0.05, 0.3, 3.0],
    row_count: int = 600,
    seed: int = 7,
    epochs: int = 60,
    test_share: float = 0.25,
):
    data = generate_data(row_count=row_count, seed=seed)
    parts = split_data(data=data.outputs["data"], test_share=test_share)
    with dsl.ParallelFor(items=learning_rates, name="train-each") as learning_rate:
        trained = train(training=parts.outputs["training"], epochs=epochs, learning_rate=learning_rate)
    chosen = select_model(
        models=dsl.Collected(trained.outputs["model"]), losses=dsl.Collected(trained.outputs["Output"])
    )
    score = evaluate(model=chosen.outputs["best"], test=parts.outputs["test"])
    report(
        explained=score.outputs["Output"], loss=chosen.outputs["Output"], row_count=parts.outputs["Output"]
    )


if __name__ == "__main__":
    compiler.Compiler().compile(demo_pipeline, str(Path(__file__).with_name("pipeline.yaml")))
