"""Great Expectations suites over tables, and the one function that runs them."""
