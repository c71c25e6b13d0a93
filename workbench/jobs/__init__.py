"""Long work: submitted as a row, run in a process of its own, watched from anywhere."""
