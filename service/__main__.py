"""The `doisoat` command; says in one line what people can mend, and nothing more."""

import sys


def main() -> None:
    """Run the command line; end with status 2 and one sentence where the surroundings are wrong."""
    from service.cli import main as run

    try:
        run()
    except Exception as error:
        if not getattr(error, "for_people", False):
            raise
        sys.stderr.write(f"doisoat: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
