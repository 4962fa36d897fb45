"""``callspool demo``."""


def demo() -> None:
    """Run the main job."""
