"""`python -m fixgw` is `fixgw`."""

from fixgw.cli import main

main()
