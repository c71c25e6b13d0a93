"""The use-cases: read from the database, call the field's code, write back what came of it."""
