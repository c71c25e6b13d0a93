"""The application: what a person or the command line can ask for."""
