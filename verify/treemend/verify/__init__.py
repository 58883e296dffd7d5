"""What is true: the sandbox, the test runners, fault spectra, and the choice among candidates."""
