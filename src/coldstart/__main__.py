"""Run ``python -m coldstart <stage>``, the same as the ``coldstart`` command."""

from coldstart.cli import main

raise SystemExit(main())
