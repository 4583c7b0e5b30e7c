"""A pipeline of lightweight components. KFP reads the annotations as objects: they may not be made texts."""

from kfp import dsl


def doubling_pipeline(image: str) -> object:
    """Doubles, in a container of `image`."""

    @dsl.component(base_image=image)
    def double(n: int, made: dsl.Output[dsl.Dataset]) -> int:
        import pathlib

        pathlib.Path(made.path).write_text("made")
        return 2 * n

    @dsl.pipeline(name="doubling")
    def doubling(n: int = 4):  # type: ignore[no-untyped-def]
        double(n=n)

    return doubling
