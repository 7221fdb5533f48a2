"""Says of each test that fails that it failed, when it did: a run that is cut off has named them."""

import pytest


class FailuresAtOnce:
    """A plugin of pytest. The whole report of each failure still stands at the end of the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Writes a line for a failure: the test, and what went wrong."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = (crash.message if crash else report.longreprtext).strip().partition("\n")[0]
            reporter = self._config.pluginmanager.getplugin("terminalreporter")
            reporter.write(f"\nFAILED ({report.when}) {report.nodeid}: {why}\n")
