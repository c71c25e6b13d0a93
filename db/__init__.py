"""SQLite: the home folder, connections, migrations and one repository a subject."""
