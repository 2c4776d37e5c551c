"""Asset checks: the Great Expectations suites, one check an expectation and a partition."""
