"""Conformance: what a mixer must satisfy before its score means anything; these names are for plug-in authors.

`conformance(Subject(MyMixer))` gives one finding a check; `conformance_tests(MyMixer)` gives one pytest test a check:

    from benchbed.checks import conformance_tests
    from my_package import MyMixer

    test_my_mixer = conformance_tests(MyMixer)
"""

from benchbed.checks.mixer import CHECKS, LEAK_CHECKS, Subject, conformance, conformance_tests
from benchbed.training.validation import check_output

__all__ = ["CHECKS", "LEAK_CHECKS", "Subject", "check_output", "conformance", "conformance_tests"]
