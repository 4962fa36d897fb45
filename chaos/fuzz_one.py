"""``python -m chaos.fuzz_one PARSER|every [libFuzzer's arguments]``: the process that atheris takes over."""

import sys

import atheris

with atheris.instrument_imports(include=["callspool"]):
    from chaos.parsers import PARSERS, every


def main() -> None:
    """Never returns."""
    atheris.Setup([sys.argv[0], *sys.argv[2:]], PARSERS.get(sys.argv[1], every))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
