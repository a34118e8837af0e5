"""`python -m photoclf` is the command line."""

from photoclf.cli import main

if __name__ == "__main__":
    main()
